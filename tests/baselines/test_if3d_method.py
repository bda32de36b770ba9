"""3D IF on a project: resumed to the bit, maps that no other case touches, and the whole command's work."""

from dataclasses import replace

import numpy as np
import pytest

from clisc_engine.baselines.if3d.method import mapper, train
from clisc_engine.baselines.method import NormalCase
from clisc_engine.baselines.methods import run_baseline
from clisc_engine.errors import Stopped
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.running.control import Control, StopFlag
from tests.support.small import run_stages, small_data, small_project

NETWORK = "baseline-if3d"
CHANGES = {
    "baselines.min_slices": 1,
    "baselines.if3d.grid_mm": 8.0,
    "baselines.if3d.epochs": 4,
    "baselines.if3d.batch_size": 1,
    "baselines.if3d.points": 256,
    "baselines.if3d.dropout": 0.1,
    "baselines.if3d.fit_steps": 4,
    "baselines.if3d.fit_points": 256,
    "baselines.if3d.refine_steps": 2,
}
CPU = Control(device="cpu")


class StopsAtLook(StopFlag):
    """Asks the run to stop when it has looked so many times whether it should."""

    def __init__(self, looks):
        super().__init__()
        self.looks = looks

    @property
    def reason(self):
        self.looks -= 1
        return "SIGTERM" if self.looks < 0 else ""


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    return small_data(tmp_path_factory.mktemp("volumes"))


def learned(root, volumes, control=CPU, project=None):
    """A project whose field has learned from three cases, all but their lowest slices."""
    project = project or small_project(root, volumes, changes=CHANGES)
    normal = []
    for case in project.cases(("train",)):
        slices = np.ones(len(case.read("image")), bool)
        slices[:3] = False
        normal.append(NormalCase(case, slices))
    train(project, NETWORK, normal, {"made": "here"}, control)
    return project


@pytest.fixture(scope="module")
def project(tmp_path_factory, volumes):
    return learned(tmp_path_factory.mktemp("learned") / "project", volumes)


def the_maps(project, names):
    maps = mapper(project, NETWORK, CPU)
    maps.load()
    cases = [project.case(name) for name in names]
    return {c.info.name: maps.map(c.read("image"), c.info.spacing, c.info.name) for c in cases}


@pytest.mark.parametrize("looks", [3, 10, 17])
def test_left_and_gone_on_with_it_ends_with_the_same_bits(tmp_path, volumes, project, looks):
    """The codes and the centres are among what the checkpoint holds."""
    other = small_project(tmp_path / "project", volumes, changes=CHANGES)
    stops = 0
    while stops < 20:
        try:
            learned(None, volumes, replace(CPU, stop=StopsAtLook(looks)), other)
            break
        except Stopped:
            stops, looks = stops + 1, looks + 3
    assert stops
    one, two = (Checkpoint(p.checkpoints, NETWORK).tensors() for p in (project, other))
    assert one.keys() == two.keys() and {"codes.weight", "centres"} < one.keys()
    assert all(np.array_equal(one[name].numpy(), two[name].numpy()) for name in one)


def test_a_map_is_of_the_case_alone(project):
    together = the_maps(project, ["p3", "p4"])
    alone = the_maps(project, ["p4"])
    assert np.array_equal(together["p4"], alone["p4"])


def test_a_map_is_in_nats_and_0_outside_the_brain(project):
    image = project.case("p4").read("image")
    found = the_maps(project, ["p4"])["p4"]
    assert found.shape == image.shape and found.dtype == np.float32
    assert (found[image == 0] == 0).all() and (found >= 0).all() and found[image != 0].mean() > 0.1


def test_the_command_makes_masks_once(tmp_path, volumes):
    project = small_project(tmp_path / "project", volumes, changes=CHANGES)
    run_stages(project, "label")
    report = run_baseline("if3d", project, CPU, ("test",))
    assert report.done == [NETWORK, "p4"] and not report.failed
    case = project.case("p4")
    mask, found = case.read("masks/baseline-if3d"), case.read("baselines/if3d")
    assert set(np.unique(mask)) <= {0, 1} and (mask[case.read("image") == 0] == 0).all()
    assert mask.any() and found[mask == 1].min() > found[(mask == 0) & (case.read("image") != 0)].mean()
    assert run_baseline("if3d", project, CPU, ("test",)).done == []
