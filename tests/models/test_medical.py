"""BiomedCLIP and MedSAM in the files of their publishers, with random weights, and without a network."""

import json
import shutil
import socket

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from torchvision import transforms

from clisc_engine.errors import BadInput
from clisc_engine.imaging.window import square
from clisc_engine.models.clip import load_clip
from clisc_engine.models.clip_file import clip_digests
from clisc_engine.models.clip_folder import find_folder
from clisc_engine.models.sam import SamModel, load_sam
from clisc_engine.models.weights import MissingWeights
from clisc_engine.running.control import Control
from clisc_engine.settings.label import NORMAL_PROMPT, TUMOUR_PROMPT
from clisc_engine.settings.medical import BIOMEDCLIP
from clisc_engine.settings.presets import preset
from tests.support.clip_folders import BERT, OPENAI_STD, biomedclip, small_clip

CPU = torch.device("cpu")
NAME = BIOMEDCLIP.rpartition("/")[2]
PROMPTS = {"normal": [NORMAL_PROMPT], "tumour": [TUMOUR_PROMPT]}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("something is asked of a network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small CLIP in BiomedCLIP's files, whose mean is its own."""
    pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("models") / NAME
    biomedclip(folder, mean=[0.1, 0.2, 0.3])
    return folder


@pytest.fixture
def copied_folder(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "clip")


def images(n=3):
    return np.random.default_rng(0).integers(0, 255, (n, 60, 50)).astype(np.uint8)


def test_probabilities_are_those_of_open_clips_own_way(folder):
    ours = load_clip(f"local-dir:{folder}", "", CPU)
    tokenizer = open_clip.tokenizer.HFTokenizer(str(folder), context_length=256)
    upstream = ours.network
    prepare = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize(mean=[0.1, 0.2, 0.3], std=OPENAI_STD)]
    )
    slices = [Image.fromarray(one).convert("RGB") for one in square(images(), 224)]
    with torch.no_grad():
        text = upstream.encode_text(tokenizer([NORMAL_PROMPT, TUMOUR_PROMPT]), normalize=True)
        image = upstream.encode_image(torch.stack([prepare(one) for one in slices]), normalize=True)
        expected = (upstream.logit_scale.exp() * image @ text.T).softmax(-1)[:, 1]
    found = ours.probabilities(images(), ours.text_features(PROMPTS))
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)
    assert ours.image_size == 224 and ours.tokenizer(["brain"]).shape == (1, 256)


def test_all_weights_of_the_file_are_taken(folder):
    network = load_clip(f"local-dir:{folder}", "", CPU).network
    state = torch.load(folder / "open_clip_pytorch_model.bin", weights_only=True)
    state.pop("text.transformer.embeddings.position_ids", None)
    assert network.state_dict().keys() == state.keys()
    assert all(torch.equal(network.state_dict()[name], value) for name, value in state.items())


def test_the_name_on_the_hub_finds_the_models_folder(folder, monkeypatch):
    monkeypatch.setenv("CLISC_MODELS", str(folder.parent))
    assert find_folder(BIOMEDCLIP).weights == folder / "open_clip_pytorch_model.bin"
    assert clip_digests([(BIOMEDCLIP, "")]) == clip_digests([(f"local-dir:{folder}", "")])


def test_the_hubs_own_cache_is_looked_into(folder, monkeypatch, tmp_path):
    """There the text tower's description and tokenizer lie in the text tower's repository."""
    for repository, names in {
        "microsoft/" + NAME: ("open_clip_config.json", "open_clip_pytorch_model.bin"),
        "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract": (
            "config.json",
            "tokenizer.json",
            "tokenizer_config.json",
        ),
    }.items():
        kept = tmp_path / f"models--{repository.replace('/', '--')}"
        (kept / "refs").mkdir(parents=True)
        (kept / "refs" / "main").write_text("1234", encoding="utf-8")
        (kept / "snapshots" / "1234").mkdir(parents=True)
        for name in names:
            (kept / "snapshots" / "1234" / name).symlink_to(folder / name)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("CLISC_MODELS", str(tmp_path / "none"))
    found = find_folder(BIOMEDCLIP)
    assert found.tower == found.tokenizer != found.weights.parent
    clip = load_clip(BIOMEDCLIP, "", CPU)
    assert clip.tokenizer(["brain"]).shape == (1, 256)


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        ("open_clip_config.json", "open_clip_config.json"),
        ("open_clip_pytorch_model.bin", "open_clip_model.safetensors"),
        ("config.json", r"text tower's description \(config.json\).*BiomedBERT"),
        ("tokenizer.json", r"tokenizer \(tokenizer.json\).*BiomedBERT"),
    ],
)
def test_a_file_that_lacks_is_named(copied_folder, lacking, said):
    (copied_folder / lacking).unlink()
    with pytest.raises(MissingWeights, match=said):
        load_clip(f"local-dir:{copied_folder}", "", CPU)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json", "open_clip_config.json"])
def test_descriptions_that_ask_for_code_are_refused(copied_folder, file):
    described = json.loads((copied_folder / file).read_text(encoding="utf-8"))
    described["auto_map"] = {"AutoConfig": "code.py"}
    (copied_folder / file).write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(BadInput, match=f"{file} asks for code"):
        load_clip(f"local-dir:{copied_folder}", "", CPU)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("open_clip_config.json", "<html>", "is damaged"),
        ("open_clip_config.json", "[]", "holds no table"),
        ("open_clip_config.json", '{"embed_dim": 3}', "lacks model_cfg"),
        ("open_clip_pytorch_model.bin", "<html>", "not a readable weight file"),
        ("config.json", '{"model_type": "bert", "hidden_size": 64}', "cannot? be built|that can be built"),
        ("config.json", '{"model_type": "no such"}', "that can be built"),
    ],
)
def test_damaged_files_are_named(copied_folder, file, content, said):
    (copied_folder / file).write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=said) as raised:
        load_clip(f"local-dir:{copied_folder}", "", CPU)
    assert str(copied_folder) in str(raised.value)


def test_without_transformers_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    with pytest.raises(BadInput, match=r"clisc\[medical\]"):
        load_clip(f"local-dir:{folder}", "", CPU)


def test_a_folder_with_towers_of_open_clips_own_needs_no_transformers(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    clip = load_clip(f"local-dir:{small_clip(tmp_path / 'clip')}", "", CPU)
    assert clip.image_size == 32
    assert clip.probabilities(images(), clip.text_features(PROMPTS)).shape == (3,)


def test_a_changed_description_counts_as_another_model(copied_folder):
    before = clip_digests([(f"local-dir:{copied_folder}", "")])
    path = copied_folder / "open_clip_config.json"
    path.write_text(path.read_text(encoding="utf-8").replace("0.1", "0.15"), encoding="utf-8")
    after = clip_digests([(f"local-dir:{copied_folder}", "")])
    assert {key for key in after if before[key] != after[key]} == {"description of clip"}


def test_medsam_is_fed_from_0_to_1_as_its_authors_do():
    """The recipe of their released inference: a square slice, less its minimum, over its range."""
    tiny = load_sam("tiny", "", CPU)
    ours = SamModel(tiny.network, CPU, "", "medsam")
    size = ours.image_size
    slices = np.random.default_rng(0).integers(30, 200, (2, size, size)).astype(np.uint8)
    expected = []
    for slice_ in slices:
        scaled = (slice_ - slice_.min()) / np.clip(np.float64(slice_.max()) - slice_.min(), 1e-8, None)
        with torch.no_grad():
            pixels = torch.tensor(np.repeat(scaled[None], 3, axis=0)).float()[None]
            expected.append(tiny.network.image_encoder(pixels)[0].numpy())
    np.testing.assert_allclose(ours.encode(slices), np.stack(expected), atol=5e-3)
    assert np.abs(ours.encode(slices) - tiny.encode(slices)).max() > 0.05
    assert np.isfinite(ours.encode(np.zeros((1, 40, 50), np.uint8))).all(), "an empty slice has no range"


def test_a_missing_medsam_says_which_whence_and_where_to(monkeypatch, tmp_path):
    monkeypatch.setenv("CLISC_MODELS", str(tmp_path))
    with pytest.raises(MissingWeights) as error:
        load_sam("medsam", "", CPU)
    for part in ("medsam_vit_b.pth", "zenodo.org", "clisc models pull medsam", str(tmp_path)):
        assert part in str(error.value)


@pytest.mark.soak
def test_the_medical_preset_steps_at_full_size(tmp_path, monkeypatch):
    """Files of the published sizes in the models folder, and a volume through both models."""
    pytest.importorskip("transformers")
    from segment_anything import sam_model_registry

    from benchmarks.projects import add, project_of
    from clisc_engine.stages.label import label
    from clisc_engine.stages.prompt_sam import prompt_sam

    models = tmp_path / "models"
    monkeypatch.setenv("CLISC_MODELS", str(models))
    biomedclip(models / NAME, tower="vit_base_patch16_224", bert=BERT, vocabulary=30522)
    medsam = sam_model_registry["vit_b"](checkpoint=None)
    torch.save(medsam.state_dict(), models / "medsam_vit_b.pth")
    weights = models / NAME / "open_clip_pytorch_model.bin"
    assert 0.9 < weights.stat().st_size / 784_000_000 < 1.1

    image = np.zeros((4, 60, 50), np.float32)
    image[:, 5:55, 6:44] = np.random.default_rng(0).uniform(1, 2, (4, 50, 38))
    project = project_of(tmp_path / "project", [image], {}, "medical")
    (case,) = project.cases()
    assert project.settings == preset("medical")
    assert not label(project, Control(device="cpu")).failed
    probability = case.read("labels/probability")
    assert ((probability > 0) & (probability < 1)).all()
    maps = np.zeros(case.read("image").shape, np.uint8)
    maps[1, 10:30, 10:25] = 255
    add(case, "cams/amda", maps)
    assert not prompt_sam(project, Control(device="cpu")).failed
    mask = case.read("masks/sam")
    assert mask.shape == maps.shape and not mask[[0, 2, 3]].any()
