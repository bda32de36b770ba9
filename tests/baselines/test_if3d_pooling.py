"""Pooling in millimetres."""

import numpy as np
import pytest

from clisc_engine.baselines.if3d.pooling import odd_sides, pooled


def test_a_constant_map_stays_constant_inside():
    found = pooled(np.full((24, 24, 24), 2.5, np.float32), (1.5, 1.5, 1.5), 4.5, 10.5)
    assert found[6:-6, 6:-6, 6:-6] == pytest.approx(2.5)
    assert found[0, 0, 0] < 2.5, "beyond the border lies 0"


def test_a_single_voxel_spike_vanishes():
    volume = np.zeros((9, 9, 9), np.float32)
    volume[4, 4, 4] = 7
    assert not pooled(volume, (1.5, 1.5, 1.5), 4.5, 22.5).any()


def test_a_box_of_least_size_survives_spread_over_the_average():
    volume = np.zeros((21, 21, 21), np.float32)
    volume[9:12, 9:12, 9:12] = 27
    found = pooled(volume, (1.0, 1.0, 1.0), 3.0, 3.0)
    expected = np.zeros_like(volume)
    expected[9:12, 9:12, 9:12] = 1
    assert found == pytest.approx(expected, abs=1e-5)


def test_the_boxes_are_odd_and_given_in_mm():
    """The original's 15 voxels of 1.5 mm are 22.5 mm: on thick slices they are fewer slices."""
    assert odd_sides(22.5, (1.5, 1.5, 1.5)) == (15, 15, 15)
    assert odd_sides(22.5, (5.0, 1.5, 0.75)) == (5, 15, 29)
    assert odd_sides(4.5, (6.0, 1.5, 4.0)) == (1, 3, 1)
    assert odd_sides(0, (1.0, 1.0, 1.0)) == (1, 1, 1)


def test_an_average_over_thick_slices_has_the_extent_of_one_over_thin_ones():
    thin = np.zeros((60, 40, 40), np.float32)
    thin[20:40, 10:30, 10:30] = 1
    thick = thin.reshape(12, 5, 40, 40).mean(axis=1)
    one = pooled(thin, (1.0, 1.0, 1.0), 0, 15).reshape(12, 5, 40, 40).mean(axis=1)
    other = pooled(thick, (5.0, 1.0, 1.0), 0, 15)
    assert other == pytest.approx(one, abs=0.11)
    assert np.abs(pooled(thick, (1.0, 1.0, 1.0), 0, 15) - one).max() > 0.5, "15 slices would be 75 mm"
