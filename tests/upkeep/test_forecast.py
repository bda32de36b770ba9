"""The size that a project is told to have before it runs, held against what it then has."""

import json
import shutil

import pytest

from clisc_engine.files.sizes import bytes_below
from clisc_engine.models.classifier import build_classifier
from clisc_engine.models.unet import build_unet
from clisc_engine.project.project import open_project
from clisc_engine.settings.keys import with_changes
from clisc_engine.settings.presets import preset
from clisc_engine.upkeep.forecast import (
    BRAIN_MM3,
    IMAGE,
    TINY_CLASSIFIER,
    TRUNKS,
    Grid,
    forecast,
    of_project,
    unet_parameters,
)
from tests.support.command import caller

REAL = Grid((240, 240, 155), (1.0, 1.0, 1.0), True)
TOLERANCE = 0.2
"""Of a whole project's size; its networks are exact, its arrays depend on the brains."""


@pytest.fixture
def clisc(monkeypatch, capsys):
    return caller(monkeypatch, capsys)


def parameters(module):
    return sum(one.numel() for one in module.parameters())


@pytest.mark.parametrize("channels", [[16, 32, 64, 128, 256], [8, 16], [4, 8, 8, 16]])
@pytest.mark.parametrize("spacing", [(), (4.0, 2.5, 2.5)])
def test_the_parameters_of_the_u_net_are_those_that_it_has(channels, spacing):
    assert unet_parameters(channels) == parameters(build_unet(channels, spacing))


@pytest.mark.parametrize("backbone", sorted(TRUNKS))
def test_the_parameters_of_the_trunks_are_those_that_they_have(backbone):
    made = build_classifier(backbone, pretrained=None, clip=None, head="mlp", dropout=0.5, image_size=64)
    assert TRUNKS[backbone] == parameters(made) - parameters(made.head)


def test_a_finished_project_has_about_the_size_that_was_told(finished):
    told = of_project(finished)
    networks = bytes_below(finished.root / "checkpoints")
    real = sum(bytes_below(finished.root / name) for name in ("store.zarr", "checkpoints", "cache", "logs"))
    assert told.checkpoints == pytest.approx(networks, rel=0.02)
    assert told.total == pytest.approx(real, rel=TOLERANCE)
    assert told.there >= real
    weights = (finished.root / "checkpoints" / "classifier-raw.safetensors").stat().st_size
    assert weights == pytest.approx(TINY_CLASSIFIER * 4, rel=0.01)


def test_real_images_take_what_is_told_of_a_brain(clisc, real_data, tmp_path):
    images = f"{real_data}/Brats*_1_flair.nii.gz"  # none of those that the figures were taken from
    assert clisc("init", tmp_path / "p", "--images", images, "--weights", "tiny").code == 0
    sizes = [
        bytes_below(case.store.root / "cases" / case.info.name / "image")
        for case in open_project(tmp_path / "p").cases()
    ]
    assert sizes and all(size == pytest.approx(BRAIN_MM3 * IMAGE, rel=0.3) for size in sizes)


def test_more_cases_larger_models_and_coarser_voxels_count(tmp_path):
    tiny, paper = preset("tiny"), preset("paper")
    one, ten = (forecast(tmp_path / "p", tiny, [REAL] * n) for n in (1, 10))
    assert ten.store == pytest.approx(10 * one.store) and ten.checkpoints == one.checkpoints
    assert forecast(tmp_path / "p", paper, [REAL]).checkpoints > 5 * one.checkpoints
    coarse = with_changes(tiny, {"image.resample_in_plane": 2.0}, "test")
    assert forecast(tmp_path / "p", coarse, [REAL]).store < 0.3 * one.store
    one_way = with_changes(tiny, {"sam.mirror": False}, "test")
    assert forecast(tmp_path / "p", one_way, [REAL]).cache == pytest.approx(one.cache / 2, abs=1)
    no_cache = with_changes(tiny, {"sam.cache_gb": 0.0}, "test")
    assert forecast(tmp_path / "p", no_cache, [REAL]).cache == 0 < one.cache
    assert one.there == 0 and one.suffices and not (tmp_path / "p").exists()


def test_a_disk_that_is_too_small_is_told(clisc, finished, monkeypatch):
    usage = shutil.disk_usage(finished.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    shown = clisc("run", finished.root, "--dry-run")
    assert shown.code == 0 and "only 1.0 kB is free: make room" in shown.out


def test_init_and_run_tell_it(clisc, finished, data, tmp_path):
    told = json.loads(clisc("run", finished.root, "--dry-run", "--json").out)["disk"]
    assert told["store"] + told["checkpoints"] > 0 and told["there"] > 0
    call = ("init", tmp_path / "p", "--images", data / "images", "--weights", "tiny")
    planned = json.loads(clisc(*call, "--dry-run", "--json").out)["disk"]
    assert "Disk: about" in clisc(*call, "--dry-run").err and not (tmp_path / "p").exists()
    made = json.loads(clisc(*call, "--json").out)["disk"]
    assert made["store"] == planned["store"] and made["there"] > 0 == planned["there"]
    assert "disk" not in json.loads(clisc(*call, "--json").out), "nothing is new"
