"""`unet.ask_sam`: each prediction prompts SAM, everywhere alike, and nothing before it changes."""

import json
import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from clisc_engine.core.border import by_brightness
from clisc_engine.core.reach import reach
from clisc_engine.core.roi import large_components
from clisc_engine.project.project import open_project
from clisc_engine.running.control import Control
from clisc_engine.settings.file import write_changes
from clisc_engine.settings.presets import PRESETS, preset
from clisc_engine.stages.evaluate import evaluate
from clisc_engine.stages.prompting.sam_masks import open_sam
from clisc_engine.stages.self_train import self_train
from clisc_engine.stages.trust.table import calibration
from clisc_engine.stages.unet.prediction import Predictions
from clisc_engine.upkeep.survey import survey
from tests.support.command import caller

CPU = Control(device="cpu")


@pytest.fixture
def clisc(monkeypatch, capsys):
    return caller(monkeypatch, capsys)


@pytest.fixture(scope="module")
def asked_once(finished, tmp_path_factory):
    """The small project with SAM asked about each prediction, by points that are drawn."""
    root = tmp_path_factory.mktemp("asked") / "project"
    shutil.copytree(finished.root, root)
    write_changes(root / "clisc.toml", {"unet.ask_sam": True})
    assert self_train(open_project(root), CPU).done == ["unet-round2"]
    evaluate(open_project(root), CPU)
    return root


@pytest.fixture
def asked(asked_once, tmp_path):
    shutil.copytree(asked_once, tmp_path / "asked")
    return open_project(tmp_path / "asked")


def test_no_preset_asks(finished):
    assert not any(preset(name).unet.ask_sam for name in PRESETS)
    states = {
        item.state for status in survey(finished) for item in status.items if item.product != "evaluate"
    }
    assert "stale" not in states


def test_turned_on_it_makes_predictions_and_what_follows_stale_alone(copied):
    write_changes(copied.root / "clisc.toml", {"unet.ask_sam": True})
    project = open_project(copied.root)
    stale = {i.product for status in survey(project) for i in status.items if i.state == "stale"}
    assert "masks/round1" in stale and stale <= {
        "masks/round1",
        "masks/sam-round1",
        "masks/round2",
        "results/similarities.json",
        "results/s3f.csv",
        "unet-round2",
    }


@pytest.mark.parametrize(
    ("network", "array", "name"),
    [("unet-round1", "masks/round1", "p0"), ("unet-round2", "masks/round2", "p4")],
)
def test_a_mask_is_sams_answer_and_what_the_network_has_beyond(asked, network, array, name):
    case = next(case for case in asked.cases() if case.info.name == name)
    image, settings = case.read("image"), asked.settings
    stage = Predictions(asked, network, array, "evaluate", CPU)
    stage.load()
    probability = stage.segmenter.probability(image, case.info.spacing)
    found = (probability > 0.5) & (image != 0)
    if settings.unet.largest_component:
        found = large_components(found, 1.0)
    assert found.any()
    prompter = open_sam(asked, CPU).prompter(case, image)
    answer = prompter.predict_mask(found, settings.prompts, settings.prompts.dilation_self_training) != 0
    wide = answer | reach(answer, np.where(found, probability, 0), image)
    wanted = by_brightness(wide, image, case.info.spacing, settings.sam.border)
    mask = case.read(array) != 0
    np.testing.assert_array_equal(mask, wanted)
    assert not np.array_equal(mask, stage.segmenter.mask_of(probability, image, case.info.spacing) != 0)


def test_project_model_file_and_evaluation_give_one_mask(clisc, asked, data, tmp_path):
    write_changes(asked.root / "clisc.toml", {"prompts.foreground": "bright5"})
    assert clisc("run", asked.root, "--until", "self-train", "--device", "cpu").code == 0
    assert clisc("evaluate", asked.root).code == 0
    assert clisc("export", "model", asked.root, "-o", tmp_path / "net.clisc").code == 0
    assert clisc("export", "masks", asked.root, "--masks", "round2", "-o", tmp_path / "masks").code == 0
    wanted = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "masks" / "p4_round2.nii.gz")))
    assert wanted.any()
    for source in (asked.root, tmp_path / "net.clisc"):
        out = tmp_path / f"{source.name}.nii.gz"
        told = clisc("predict", source, data / "images" / "p4_flair.nii.gz", "-o", out)
        assert told.code == 0, told.message
        np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(out))), wanted)


def test_a_model_that_asks_another_sam_than_there_is_is_refused(clisc, asked, data, tmp_path):
    file = tmp_path / "net.clisc"
    assert clisc("export", "model", asked.root, "-o", file).code == 0
    with safe_open(str(file), framework="numpy") as opened:
        card = json.loads(opened.metadata()["clisc"])
    assert card["asks"]["sam"]["checkpoint"] == ""
    card["asks"]["digest"] = "0" * 64
    save_file(load_file(file), tmp_path / "other.clisc", {"clisc": json.dumps(card)})
    out = tmp_path / "mask.nii.gz"
    told = clisc("predict", tmp_path / "other.clisc", data / "images" / "p4_flair.nii.gz", "-o", out)
    assert told.code == 3 and "0" * 64 in told.message.replace("\n", "") and not out.exists()


def test_a_bundle_is_refused_since_it_runs_without_sam(clisc, asked, tmp_path):
    told = clisc("export", "bundle", asked.root, "-o", tmp_path / "bundle")
    assert told.code == 3 and "unet.ask_sam" in told.message and not (tmp_path / "bundle").exists()


def test_trust_knows_no_dsc_of_such_masks(asked):
    assert calibration(asked.settings) is None
