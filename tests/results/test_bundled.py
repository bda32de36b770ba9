"""The network that comes with clisc: predictions without a project, and where a training starts."""

import json

import nibabel as nib
import numpy as np
import pytest
from safetensors.numpy import load_file

from clisc_engine.baselines.methods import run_baseline
from clisc_engine.core.border import by_brightness
from clisc_engine.core.overlap import dice
from clisc_engine.core.reach import reach
from clisc_engine.core.roi import joined
from clisc_engine.files.digest import sha256_of
from clisc_engine.imaging.phantom import make_phantom
from clisc_engine.models.bundled_unet import bundled_segmenter
from clisc_engine.models.weights import TINY_UNET, bundled
from clisc_engine.project.project import open_project
from clisc_engine.results.case_picture import case_picture
from clisc_engine.running.control import Control
from clisc_engine.settings.file import write_changes
from clisc_engine.stages.prompt_sam import prompt_sam
from clisc_engine.stages.prompting.regions import region_of_interest
from clisc_engine.stages.prompting.sam_masks import open_sam
from tests.support.command import caller
from tests.support.small import run_stages, small_project
from tests.support.volumes import write

CPU = Control(device="cpu")


@pytest.fixture
def clisc(monkeypatch, capsys):
    return caller(monkeypatch, capsys)


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """A phantom that no training saw, and its file."""
    phantom = make_phantom(731, spacing=(5.0, 2.0, 2.0), kind="solid", volume_ml=70.0)
    path = tmp_path_factory.mktemp("scan") / "scan.nii.gz"
    write(path, phantom.image, phantom.spacing[::-1])
    return path, phantom


def test_one_scan_gets_its_mask_without_a_project(clisc, scan, tmp_path):
    path, phantom = scan
    told = clisc("predict", "bundled", path, "-o", tmp_path / "mask.nii.gz", "--json")
    assert told.code == 0, told.message
    mask = nib.load(tmp_path / "mask.nii.gz")
    assert np.allclose(mask.affine, nib.load(path).affine)
    found = np.asarray(mask.dataobj).transpose(2, 1, 0) != 0
    truth = phantom.mask != 0
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.8
    voxel = np.prod(phantom.spacing) / 1000
    assert json.loads(told.out)["volume_ml"] == pytest.approx(found.sum() * voxel, abs=0.01)


def test_float16_which_its_values_exceed_leaves_the_network_in_float32(clisc, scan, tmp_path):
    masks = []
    for precision in ("32", "16"):
        mask = tmp_path / f"mask{precision}.nii.gz"
        assert clisc("predict", "bundled", scan[0], "-o", mask, "--precision", precision).code == 0
        masks.append(np.asarray(nib.load(mask).dataobj) != 0)
    assert dice(*masks) > 0.95  # SAM, which is asked, is in float16


def test_an_image_alone_is_answered_with_the_line_that_segments_it(clisc, scan, tmp_path):
    told = clisc("predict", scan[0], "-o", tmp_path / "mask.nii.gz")
    said = "".join(told.message.replace("│", "").split())
    assert told.code == 2 and f"clisc predict bundled {scan[0]} -o".replace(" ", "") in said
    assert clisc("predict", tmp_path, "-o", tmp_path / "mask.nii.gz").code == 2


def test_a_folder_of_that_name_is_not_confused_with_it(clisc, scan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bundled").mkdir()
    told = clisc("predict", "bundled", scan[0], "-o", "mask.nii.gz")
    assert told.code == 3 and str(tmp_path / "bundled") in told.message
    assert not (tmp_path / "mask.nii.gz").exists()


def test_the_row_of_table_1_is_the_same_network(clisc, copied, data, tmp_path):
    assert run_baseline("phantoms-only", copied, CPU, ("test",)).done == ["p4"]
    clisc("predict", "bundled", data / "images" / "p4_flair.nii.gz", "-o", tmp_path / "mask.nii.gz")
    clisc("export", "masks", copied.root, "--masks", "baseline-phantoms-only", "-o", tmp_path / "out")
    (exported,) = (tmp_path / "out").glob("p4*.nii.gz")
    one, other = (np.asarray(nib.load(p).dataobj) != 0 for p in (tmp_path / "mask.nii.gz", exported))
    assert one.any() and np.array_equal(one, other)
    assert run_baseline("phantoms-only", copied, CPU, ("test",)).fresh == ["p4"]


def test_a_training_starts_from_it_or_from_scratch(tmp_path, data):
    changes = {"unet.start": "bundled", "unet.spacing": [4.0, 2.5, 2.5], "unet.epochs": 1}
    project = small_project(tmp_path / "project", data, changes=changes | {"unet.learning_rate": 1e-6})
    run_stages(project, "label", "cam", "amda", "prompt-sam", "train")
    trained = load_file(project.checkpoint("unet-round1").weights)
    start = load_file(bundled(TINY_UNET))
    convolutions = [key for key, value in start.items() if value.ndim == 5]
    assert convolutions
    for key in convolutions:
        assert np.allclose(trained[key], start[key].astype(np.float32), atol=1e-3)


def test_another_shape_is_refused_with_the_settings_that_would_do(clisc, tmp_path, data):
    project = small_project(tmp_path / "project", data)
    run_stages(project, "label", "cam", "amda")
    prompt_sam(project, CPU)
    told = clisc("config", "set", project.root, "unet.start=bundled")
    assert told.code == 3 and "unet.spacing [4.0, 2.5, 2.5]" in told.message
    write_changes(project.root / "clisc.toml", {"unet.start": "bundled"})
    told = clisc("train", project.root)
    assert told.code == 3 and "unet.spacing [4.0, 2.5, 2.5]" in told.message
    assert not project.checkpoint("unet-round1").weights.exists()


def test_what_the_network_marks_joins_the_region_where_the_two_touch(clisc, copied, tmp_path):
    shown = clisc("show", copied.root, "p4", "-o", tmp_path / "before.svg")
    assert shown.code == 0
    before = copied.case("p4").read("masks/sam") != 0
    assert clisc("config", "set", copied.root, "prompts.region=map+bundled").code == 0
    told = clisc("prompt-sam", copied.root, "--cases", "p4")
    assert told.code == 0, told.message
    project = open_project(copied.root)
    case = project.case("p4")
    image, sam = case.read("image"), case.read("masks/sam") != 0
    probability = bundled_segmenter(CPU).probability(image, case.info.spacing)
    region = region_of_interest(case.read("cams/amda"), image != 0, case.info.spacing, project.settings.roi)
    wide = joined(region, (probability > 0.5) & (image != 0))
    prompter = open_sam(project, CPU).prompter(case, image)
    answer = prompter.predict_mask(wide, project.settings.prompts, project.settings.prompts.dilation) != 0
    beyond = reach(answer, np.where(wide, probability, 0), image)
    marked = by_brightness(answer | beyond, image, case.info.spacing, project.settings.sam.border)
    assert np.array_equal(sam, marked) and not np.array_equal(before, sam)
    assert not case_picture(project, "p4", 3).prompts
    chain = json.loads(clisc("explain", copied.root, "p4", "--masks", "sam", "--json").out)["chain"]
    assert chain[-1]["weights"]["bundled unet"]["sha256"] == sha256_of(bundled(TINY_UNET))
    assert clisc("config", "set", copied.root, "prompts.region=map").code == 0
    assert "prompts.region" in clisc("status", copied.root, "--json").out


def test_parts_that_the_region_does_not_touch_are_left_out():
    region, marked = np.zeros((1, 6, 12), bool), np.zeros((1, 6, 12), bool)
    region[0, 1:3, 1:4] = marked[0, 2:5, 3:6] = marked[0, 0:2, 9:11] = True
    found = joined(region, marked)
    assert found.sum() == 6 + 9 - 1 and not found[0, :, 8:].any()
    assert np.array_equal(joined(np.zeros_like(region), marked), np.zeros_like(region))
