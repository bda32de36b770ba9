"""The steps with ``--precision bf16``, against the same ones in float32."""

import numpy as np
import pytest

from clisc_engine.core.overlap import dice
from clisc_engine.running.control import Control
from tests.support.small import STAGES, small_project


@pytest.fixture(scope="module")
def rounded(tmp_path_factory, data):
    """A project on which the steps up to the first U-Net were done in bfloat16."""
    project = small_project(tmp_path_factory.mktemp("rounded") / "project", data)
    for name, stage in list(STAGES.items())[:-1]:  # self-train asks and trains the same once more
        report = stage(project, Control(device="cpu", precision="bf16"))
        assert not report.failed, name
    return project


def both(finished, rounded, array):
    return [
        (case.read(array), other.read(array))
        for case, other in zip(finished.cases(), rounded.cases(), strict=True)
    ]


def test_labels_are_those_of_float32_but_for_rounding(finished, rounded):
    for exact, found in both(finished, rounded, "labels/probability"):
        np.testing.assert_allclose(found, exact, atol=0.05)
        assert len(np.unique(found[found > 0])) > 0.9 * np.count_nonzero(found)  # not in steps


def test_maps_are_those_of_float32_but_for_rounding(finished, rounded):
    for exact, found in both(finished, rounded, "cams/raw"):
        assert np.abs(found.astype(float) - exact).mean() < 1


def test_masks_of_sam_are_those_of_float32_but_for_rounding(finished, rounded):
    for exact, found in both(finished, rounded, "masks/sam"):
        assert dice(found, exact) > 0.97
