"""Agreement of the steps by hand-worked masks, and what a calibration makes of it."""

import numpy as np
import pytest

from clisc_engine.core.trust import Calibration, agreements

NOTHING = np.zeros((4, 3, 3), bool)
LABELS = np.array([0, 1, 1, 255], np.uint8)


def box(*slices, size=2):
    mask = NOTHING.copy()
    for z in slices:
        mask[z, :size, :size] = True
    return mask


def test_each_step_is_compared_with_the_final_mask():
    found = agreements(
        box(1, 2), pseudo_label=box(1, 2), round1=box(1), region=box(1, 2, size=1), labels=LABELS
    )
    assert found == {
        "sam": 1,
        "round1": pytest.approx(2 * 4 / (8 + 4)),
        "region": pytest.approx(2 * 2 / (8 + 2)),
        "slices": 1,
    }


def test_slices_that_clip_is_not_sure_of_do_not_count():
    found = agreements(box(2, 3), NOTHING, NOTHING, NOTHING, LABELS)
    assert found["slices"] == pytest.approx(2 * 1 / (1 + 2)), "slice 3 is left out of both"


def test_to_agree_on_nothing_counts_only_where_clip_sees_no_tumour():
    ill = agreements(NOTHING, NOTHING, NOTHING, NOTHING, LABELS)
    assert set(ill.values()) == {0}
    healthy = agreements(NOTHING, NOTHING, NOTHING, NOTHING, np.array([0, 0, 255, 0], np.uint8))
    assert set(healthy.values()) == {1}


def test_the_expected_dsc_is_a_line_within_0_and_100():
    calibration = Calibration(constant=10, weights={"sam": 60, "slices": 20}, margin=15, coverage=0.8)
    some = calibration.expect({"sam": 0.5, "slices": 1.0, "region": 0.3})
    assert (some.low, some.dsc, some.high) == (45, 60, 75)
    all_ = calibration.expect({"sam": 1.0, "slices": 1.0})
    assert (all_.low, all_.dsc, all_.high) == (75, 90, 100)
    none = calibration.expect({"sam": 0.0, "slices": 0.0})
    assert (none.low, none.dsc, none.high) == (0, 10, 25)
