import numpy as np
import open_clip
import pytest
import torch
import torchvision

from clisc_engine.errors import BadInput
from clisc_engine.files.digest import sha256_of
from clisc_engine.models.classifier import build_classifier
from clisc_engine.models.clip import load_clip
from clisc_engine.models.clip_tower import check_models
from clisc_engine.models.paper_files import paper_files_present
from clisc_engine.models.weights import MissingWeights, load_state
from clisc_engine.running.device import pick_device
from clisc_engine.settings.keys import with_changes
from clisc_engine.settings.label import NORMAL_PROMPT, TUMOUR_PROMPT
from clisc_engine.settings.presets import preset

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_damaged_files_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x00" * 100)
    with pytest.raises(BadInput, match="not a readable weight file"):
        load_state(tmp_path / name)


def test_wrapped_state_dicts_are_unwrapped(tmp_path):
    torch.save({"state_dict": {"w": torch.ones(2)}}, tmp_path / "a.pth")
    assert load_state(tmp_path / "a.pth")["w"].tolist() == [1, 1]


def test_digest_follows_the_content(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert sha256_of(path).startswith("ba7816bf")
    path.write_bytes(b"abcd")
    assert sha256_of(path).startswith("88d4266f")


def test_tiny_clip_compares_images_with_text():
    clip = load_clip("tiny", "", CPU)
    images = np.random.default_rng(0).integers(0, 255, (3, 60, 50)).astype(np.uint8)
    text = clip.text_features({"normal": [NORMAL_PROMPT], "tumour": [TUMOUR_PROMPT]})
    found = clip.probabilities(images, text)
    assert found.shape == (3,) and ((found > 0) & (found < 1)).all()
    swapped = clip.text_features({"normal": [TUMOUR_PROMPT], "tumour": [NORMAL_PROMPT]})
    np.testing.assert_allclose(clip.probabilities(images, swapped), 1 - found, atol=1e-5)
    same = clip.text_features({"normal": [TUMOUR_PROMPT], "tumour": [TUMOUR_PROMPT] * 3})
    np.testing.assert_allclose(clip.probabilities(images, same), 0.5, atol=1e-5)


def test_probability_is_the_softmax_of_scaled_cosines():
    clip = load_clip("tiny", "", CPU)
    image = np.random.default_rng(1).integers(0, 255, (1, 128, 128)).astype(np.uint8)
    text = clip.text_features({"normal": [NORMAL_PROMPT], "tumour": [TUMOUR_PROMPT]})
    with torch.no_grad():
        feature = clip.network.encode_image(clip.prepare(torch.from_numpy(image)))
        cosines = torch.nn.functional.cosine_similarity(feature, text)
        expected = (clip.network.logit_scale.exp() * cosines).softmax(0)[1]
    assert clip.probabilities(image, text)[0] == pytest.approx(float(expected), abs=1e-5)


def test_full_size_clip_from_a_local_file(tmp_path):
    torch.manual_seed(0)
    network = open_clip.create_model("ViT-B-32", pretrained=None)
    torch.save(network.state_dict(), tmp_path / "clip.pt")
    clip = load_clip("ViT-B-32", str(tmp_path / "clip.pt"), CPU)
    assert clip.image_size == 224 and clip.digest == sha256_of(tmp_path / "clip.pt")
    for name, value in network.state_dict().items():
        assert torch.equal(clip.network.state_dict()[name], value), name
    text = clip.text_features({"normal": [NORMAL_PROMPT], "tumour": [TUMOUR_PROMPT]})
    assert clip.probabilities(np.zeros((2, 100, 90), np.uint8), text).shape == (2,)


def test_missing_clip_says_which_whence_and_where_to(monkeypatch, tmp_path):
    monkeypatch.setenv("CLISC_MODELS", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(MissingWeights) as error:
        load_clip("ViT-B-32", "openai", CPU)
    for part in (
        "ViT-B-32 (openai)",
        "clisc models pull",
        "huggingface.co",
        str(tmp_path),
        "openai.safetensors",
    ):
        assert part in str(error.value)


def test_unknown_clip_models_and_tags():
    with pytest.raises(BadInput, match="no such model"):
        load_clip("ViT-B-33", "openai", CPU)
    with pytest.raises(MissingWeights, match="neither a file nor one of open_clip's tags"):
        load_clip("ViT-B-32", "nobody", CPU)


@pytest.mark.parametrize("backbone", ["resnet50", "resnet18"])
def test_classifier_takes_imagenet_weights_from_the_models_folder(monkeypatch, tmp_path, backbone):
    monkeypatch.setenv("CLISC_MODELS", str(tmp_path))
    name = {"resnet50": "resnet50-11ad3fa6.pth", "resnet18": "resnet18-f37072fd.pth"}[backbone]
    options = {"clip": None, "head": "mlp", "dropout": 0.5, "image_size": 224}
    with pytest.raises(MissingWeights, match=name):
        build_classifier(backbone, pretrained="imagenet", **options)
    network = getattr(torchvision.models, backbone)(weights=None).eval()
    torch.save(network.state_dict(), tmp_path / name)
    ours = build_classifier(backbone, pretrained="imagenet", **options).eval()
    pixels = ours.prepare(torch.randint(0, 255, (2, 64, 64), dtype=torch.uint8))
    kept = {}
    network.layer3.register_forward_hook(lambda *a: kept.update(out=a[2]))
    with torch.no_grad():
        network(pixels)
        logits, features = ours.forward_features(pixels, ["layer3"])
    assert logits.shape == (2, 2)
    torch.testing.assert_close(features["layer3"], kept["out"])
    assert [type(m).__name__ for m in ours.head] == ["Linear", "ReLU", "Dropout", "Linear"]


def test_classifier_from_clips_own_tower_and_its_gradients():
    clip = load_clip("tiny", "", CPU)
    ours = build_classifier("clip", pretrained=None, clip=clip, head="linear", dropout=0, image_size=128)
    ours.eval().requires_grad_(False)
    pixels = ours.prepare(torch.randint(0, 255, (2, 128, 128), dtype=torch.uint8))
    logits, features = ours.forward_features(pixels, ["layer2", "layer3"])
    gradients = torch.autograd.grad(logits[:, 1].sum(), [features["layer2"], features["layer3"]])
    assert all(g.shape == f.shape for g, f in zip(gradients, features.values(), strict=True))
    tower = clip.network.visual
    with torch.no_grad():
        expected = tower.layer2(tower.layer1(tower.stem(pixels)))
    torch.testing.assert_close(features["layer2"].detach(), expected)
    assert ours.class_weights().shape == (2, 512)


def test_clips_tower_must_be_a_resnet():
    with pytest.raises(BadInput, match=r"classifier\.backbone=resnet50"):
        build_classifier("clip", pretrained=None, clip=None, head="mlp", dropout=0, image_size=64)


def test_paper_files_are_looked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("CLISC_MODELS", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert not paper_files_present(preset("paper"))
    for name in ("ViT-B-32-openai.pt", "sam_vit_b_01ec64.pth", "resnet50-11ad3fa6.pth"):
        assert not paper_files_present(preset("paper"))
        (tmp_path / name).write_bytes(b"")
    assert paper_files_present(preset("paper"))


def test_devices():
    assert pick_device("cpu").type == "cpu"
    assert pick_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(BadInput, match="not auto, cpu"):
        pick_device("gpu")
    with pytest.raises(BadInput, match="not available here"):
        pick_device("cuda:77")


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (lambda whole: {"w": torch.ones(2)}, "it lacks conv1.weight"),
        (lambda whole: {**whole, "fc.bias": torch.ones(2)}, r"its fc.bias is \[2\], not \[1000\]"),
        (lambda whole: {**whole, "more": torch.ones(2)}, "it also has more"),
    ],
)
def test_another_models_weights_are_told_by_what_differs(tmp_path, weights, said):
    path = tmp_path / "other.pth"
    torch.save(weights(torchvision.models.resnet18().state_dict()), path)
    with pytest.raises(BadInput, match=rf"other.pth does not hold a resnet18: {said}\.$"):
        build_classifier(
            "resnet18", pretrained=str(path), head="linear", dropout=0.0, image_size=64, clip=None
        )


def test_another_models_weights_are_no_torchscript_to_a_clip(tmp_path):
    path = tmp_path / "resnet.pth"
    torch.save(torchvision.models.resnet18().state_dict(), path)
    with pytest.raises(BadInput, match=r"resnet.pth does not hold a ViT-B-32: .*another model's\.$"):
        load_clip("ViT-B-32", str(path), CPU)


def test_every_model_of_open_clip_is_known_and_no_other():
    paper = preset("paper")
    for model in (*open_clip.list_models(), "tiny", "hf-hub:someone/model", "local-dir:anywhere"):
        check_models(with_changes(paper, {"label.model": model}, "test"))
    for model in ("ViT-B/32", "../model_configs/RN50", "RN50.json", "[RN50]"):
        with pytest.raises(BadInput, match="no such model"):
            check_models(with_changes(paper, {"label.model": model}, "test"))
