"""Classes of intensity against brute force, and the grid that they lie on."""

import numpy as np
import pytest

from clisc_engine.baselines.if3d.grid import Grid, on_grid, slices_on_grid
from clisc_engine.baselines.if3d.quantiser import fit_centres, mode_filtered, nearest, scaled
from clisc_engine.settings.baselines.if3d import If3dSettings

CENTRES = np.array(
    [0.0083, 0.1611, 0.2564, 0.3325, 0.4017, 0.4740, 0.5593, 0.6616, 0.7928, 0.9652], np.float32
)


def test_each_value_gets_the_number_of_its_nearest_centre():
    values = np.random.default_rng(0).uniform(-0.2, 1.2, 5000).astype(np.float32)
    distances = np.abs(values[:, None].astype(np.float64) - CENTRES)
    assert np.array_equal(nearest(values, CENTRES), distances.argmin(axis=1))


def test_the_centres_of_separate_clusters_are_their_means():
    rng = np.random.default_rng(1)
    clusters = [rng.normal(mean, 0.01, n) for mean, n in ((0.1, 300), (0.45, 900), (0.9, 500))]
    values = rng.permutation(np.concatenate(clusters)).astype(np.float32)
    assert fit_centres(values, 3) == pytest.approx([c.mean() for c in clusters], abs=1e-6)


def test_the_centres_are_a_fixed_point_of_k_means():
    values = np.random.default_rng(2).beta(2, 3, 4000).astype(np.float32)
    centres = fit_centres(values, 10)
    classes = np.abs(values[:, None] - centres).argmin(axis=1)
    assert centres == pytest.approx([values[classes == number].mean() for number in range(10)], abs=1e-4)


def test_fewer_values_than_centres_leave_finite_ascending_centres():
    centres = fit_centres(np.array([0.2, 0.2, 0.7], np.float32), 8)
    assert np.isfinite(centres).all() and (np.diff(centres) >= 0).all()
    values = np.array([0.2, 0.7], np.float32)
    assert centres[nearest(values, centres)] == pytest.approx(values)


@pytest.mark.parametrize("sides", [(2, 2, 2), (3, 3, 3), (1, 2, 3)])
def test_the_mode_filter_takes_the_most_frequent_class_of_the_brain(sides):
    rng = np.random.default_rng(3)
    classes, brain = rng.integers(0, 4, (6, 7, 5)).astype(np.uint8), rng.random((6, 7, 5)) < 0.8
    found = mode_filtered(classes, brain, sides)
    for at in np.argwhere(brain):
        box = tuple(slice(max(0, i - n // 2), i - n // 2 + n) for i, n in zip(at, sides, strict=True))
        counts = np.bincount(classes[box][brain[box]], minlength=4)
        most = np.flatnonzero(counts == counts.max())
        own = classes[tuple(at)]
        assert found[tuple(at)] == (own if own in most else most[0])
    assert np.array_equal(mode_filtered(classes, brain, (1, 1, 1)), classes)


def test_thick_slices_do_not_vote_for_each_other_s_classes():
    """3 mm are two voxels of 1.5 mm in plane, and less than a slice of 5 mm."""
    brain = np.ones((4, 6, 6), bool)
    values = np.zeros((4, 6, 6), np.float32)
    values[::2] = 1.0
    centres = np.array([0.0, 1.0], np.float32)
    kept = Grid(values, brain, (5.0, 1.5, 1.5)).classes(centres, If3dSettings(mode_filter_mm=3.0))
    assert np.array_equal(kept, values.astype(np.uint8))


def test_scaling_does_not_see_the_scanner_s_gain_and_offset():
    rng = np.random.default_rng(4)
    image = np.where(rng.random((4, 9, 9)) < 0.7, rng.normal(0, 1, (4, 9, 9)), 0).astype(np.float32)
    other = np.where(image != 0, 3.5 * image + 20, 0).astype(np.float32)
    found = scaled(image, 2, 98)
    assert found == pytest.approx(scaled(other, 2, 98), abs=1e-5)
    brain = np.sort(found[image != 0])
    assert brain[0] == 0 and brain[-1] == 1 and (found[image == 0] == 0).all()


def test_the_grid_is_coarse_enough_and_its_rim_is_brain_alone():
    settings = If3dSettings(grid_mm=3.0, grid_side=20, clip_low=0, clip_high=100)
    image = np.zeros((12, 60, 80), np.float32)
    image[1:11, 5:55, 6:74] = np.where(np.arange(68) < 34, 1.0, 2.0)
    grid = on_grid(image, (6.0, 1.0, 1.0), settings)
    assert grid.values.shape == (12, 20, 20), "thick slices stay, 3 mm in y, and 80 mm in 20 voxels in x"
    assert grid.spacing == (6.0, 3.0, 4.0)
    middle = grid.values[:, :, 10]
    assert grid.values[grid.brain][:1] == pytest.approx(0) and middle.max() <= 1
    left = grid.brain & (np.arange(20) < 8)
    right = grid.brain & (np.arange(20) >= 12)
    assert grid.values[left] == pytest.approx(0, abs=1e-5), "no background is mixed into the rim"
    assert grid.values[right] == pytest.approx(1, abs=1e-5)


def test_a_slice_of_the_grid_is_normal_when_all_that_it_overlaps_is():
    normal = np.array([True, True, False, True, True, True])
    assert slices_on_grid(normal, 6).tolist() == normal.tolist()
    assert slices_on_grid(normal, 3).tolist() == [True, False, True]
    assert slices_on_grid(normal, 4).tolist() == [True, False, True, True]
