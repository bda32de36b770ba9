"""Sim2Real's two trainings and its maps on a small project."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file

from clisc_engine.baselines.method import NormalCase
from clisc_engine.baselines.sim2real.method import STAGE1, STAGE2, mapper, train_stage1, train_stage2
from clisc_engine.errors import BadInput, Stopped
from clisc_engine.project.project import open_project
from clisc_engine.running.control import Control
from clisc_engine.settings.baselines.sim2real import TINY, Sim2RealSettings
from clisc_engine.settings.keys import with_changes
from tests.support.small import StopsAfter, small_project

CPU = Control(device="cpu")
CHANGES = {
    "grid": [8, 16, 16],
    "network": "residual",
    "channels": [4, 8],
    "epochs": 3,
    "samples_per_epoch": 3,
    "warm_up": 1,
    "stage2_epochs": 2,
    "stage2_min_ml": 0.0,
    "stage2_drop": 0.0,
}


def changed(project, **changes):
    settings = {f"baselines.sim2real.{key}": value for key, value in (CHANGES | changes).items()}
    project.settings = with_changes(project.settings, settings, "test")
    return project


def normal_cases(project):
    """All but the middle slices of each train case."""
    found = []
    for case in project.cases(("train",)):
        flags = np.ones(len(case.read("image")), bool)
        flags[5:9] = False
        found.append(NormalCase(case, flags))
    return found


def train(project, network, control=CPU, provenance="1"):
    stage = {STAGE1: train_stage1, STAGE2: train_stage2}[network]
    stage(project, network, normal_cases(project), {"made": provenance}, control)
    return load_file(project.checkpoints / f"{network}.safetensors")


def same(one, other):
    return all(np.array_equal(one[key], other[key]) for key in one.keys() | other.keys())


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data):
    """A project with both networks trained; tests copy it."""
    project = changed(small_project(tmp_path_factory.mktemp("sim2real") / "project", data))
    train(project, STAGE1)
    train(project, STAGE2)
    return project


@pytest.fixture
def own(trained, tmp_path):
    shutil.copytree(trained.root, tmp_path / "own")
    return changed(open_project(tmp_path / "own"))


def test_a_case_with_a_lone_normal_slice_takes_no_tumour_and_stops_nothing(own):
    """Between two slices of the network's grid it is none of them; before, a draw from nothing ended it."""
    cases = normal_cases(own)
    for one in cases[:-1]:
        one.normal[:] = False
        one.normal[len(one.normal) // 2] = True
    train_stage1(own, STAGE1, cases, {"made": "2"}, CPU)
    train_stage2(own, STAGE2, cases, {"made": "2"}, CPU)
    for one in cases:
        one.normal[:] = False
        one.normal[len(one.normal) // 2] = True
    with pytest.raises(BadInput, match="normal slice to put a tumour into"):
        train_stage1(own, STAGE1, cases, {"made": "3"}, CPU)


@pytest.mark.parametrize("network", [STAGE1, STAGE2])
@pytest.mark.parametrize("epochs", [1, 2])
def test_a_training_that_was_stopped_ends_with_the_same_bits(own, trained, network, epochs):
    whole = load_file(trained.checkpoints / f"{network}.safetensors")
    (own.checkpoints / f"{network}.safetensors").unlink()
    progress = StopsAfter(epochs)
    if epochs < {STAGE1: 3, STAGE2: 2}[network]:
        with pytest.raises(Stopped):
            train(own, network, replace(CPU, progress=progress, stop=progress.flag))
        assert not (own.checkpoints / f"{network}.safetensors").exists()
    assert same(train(own, network, replace(CPU, workers=3)), whole)


def test_self_training_goes_on_from_stage_1(own, trained):
    """At a rate of almost 0 its weights are stage 1's; at its own rate they are not."""
    first, second = (load_file(trained.checkpoints / f"{name}.safetensors") for name in (STAGE1, STAGE2))
    assert not same(first, second)
    changed(own, stage2_learning_rate=1e-12)
    for key, value in train(own, STAGE2, provenance="2").items():
        np.testing.assert_allclose(value, first[key], atol=1e-8)


def test_no_reference_and_no_other_array_than_the_image_is_read(own, trained):
    for case in own.cases():
        own.store.remove(f"cases/{case.info.name}/reference")
    (own.checkpoints / f"{STAGE1}.safetensors").unlink()
    again = train(own, STAGE1)
    assert same(again, load_file(trained.checkpoints / f"{STAGE1}.safetensors"))


def test_what_a_real_slice_holds_that_is_not_normal_teaches_stage_1_nothing_about_health(own):
    """Marked normal or not, a slice changes what is learned: flags are heeded."""
    flags = normal_cases(own)
    other = [NormalCase(one.case, ~one.normal) for one in flags]
    weights = []
    for number, cases in enumerate((flags, other)):
        train_stage1(own, STAGE1, cases, {"made": f"flags {number}"}, CPU)
        weights.append(load_file(own.checkpoints / f"{STAGE1}.safetensors"))
    assert not same(*weights)


@pytest.mark.parametrize("network", [STAGE1, STAGE2])
def test_maps_are_probabilities_within_the_brain_and_each_case_its_own(trained, network):
    cases = trained.cases(("test", "valid"))
    maps = mapper(trained, network, CPU)
    maps.load()
    images = [case.read("image") for case in cases]
    found = [maps.map(i, c.info.spacing, c.info.name) for i, c in zip(images, cases, strict=True)]
    for image, one in zip(images, found, strict=True):
        assert one.shape == image.shape and one.dtype == np.float32
        assert one.min() >= 0 and one.max() <= 1 and not one[image == 0].any() and one.any()
    alone = mapper(trained, network, CPU)
    alone.load()
    assert np.array_equal(alone.map(images[1], cases[1].info.spacing, "other"), found[1])


def test_the_best_epoch_is_kept_after_the_warm_up_only(own):
    weights = {}
    for name, changes in {
        "all warm-up": {"warm_up": 3},
        "last": {"select": "last"},
        "first": {"select": "last", "epochs": 1},
        "best of one": {"warm_up": 2},
    }.items():
        weights[name] = train(changed(own, **changes), STAGE1, provenance=name)
    assert same(weights["all warm-up"], weights["last"])
    assert same(weights["best of one"], weights["last"])
    assert not same(weights["first"], weights["last"])


def test_no_normal_slice_and_no_found_tumour_are_refused(own):
    nothing = [NormalCase(one.case, np.zeros_like(one.normal)) for one in normal_cases(own)]
    with pytest.raises(BadInput, match="normal slice"):
        train_stage1(own, STAGE1, nothing, {"made": "3"}, CPU)
    changed(own, stage2_min_ml=1e6)
    with pytest.raises(BadInput, match="stage2_min_ml"):
        train(own, STAGE2, provenance="3")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"grid": [128, 128, 100]}, "multiple of 8"),
        ({"blend": [0.2, 1.2]}, "at most 1"),
        ({"brightness": [3.0, 1.0]}, "least value"),
        ({"volume_ml": [0.0, 5.0]}, "over 0"),
        ({"noise": 1.0}, "less than 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, why):
    with pytest.raises(ValueError, match=why):
        Sim2RealSettings(**changes)


def test_the_tiny_preset_is_valid():
    assert Sim2RealSettings.model_validate(TINY).network == "residual"
