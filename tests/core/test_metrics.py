import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.distance import cdist

from clisc_engine.core.metrics import SIZE_GROUPS, hd95, size_groups
from clisc_engine.core.overlap import dice

SPACING = (3.0, 1.0, 0.8)


def blobs(seed, shape=(10, 24, 22), threshold=0.08):
    rng = np.random.default_rng(seed)
    return ndimage.gaussian_filter(rng.standard_normal(shape), 2) > threshold


def brute_hd95(a, b, spacing):
    """Every surface voxel against every other: slow, and another way than distance transforms."""

    def surface(mask):
        padded = np.pad(mask, 1)
        inner = padded[1:-1, 1:-1, 1:-1].copy()
        for axis in range(3):
            for shift in (-1, 1):
                inner &= np.roll(padded, shift, axis)[1:-1, 1:-1, 1:-1]
        return np.argwhere(mask & ~inner) * spacing

    distances = cdist(surface(a), surface(b))
    return np.percentile(np.concatenate([distances.min(1), distances.min(0)]), 95)


@pytest.mark.parametrize("seed", range(6))
def test_hd95_agrees_with_brute_force(seed):
    a, b = blobs(seed), blobs(seed + 100)
    assert hd95(a, b, SPACING) == pytest.approx(brute_hd95(a, b, SPACING), abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_medpy(seed):
    medpy = pytest.importorskip("medpy.metric.binary")
    a, b = blobs(seed), blobs(seed + 50)
    assert dice(a, b) == pytest.approx(medpy.dc(a, b))
    assert hd95(a, b, SPACING) == pytest.approx(medpy.hd95(a, b, voxelspacing=SPACING))


def test_hd95_of_a_shift_is_the_shift_in_millimetres():
    a, b = np.zeros((8, 20, 20), bool), np.zeros((8, 20, 20), bool)
    a[2:5, 4:10, 4:10] = True
    b[3:6, 4:10, 4:10] = True
    assert hd95(a, b, (5.0, 1.0, 1.0)) == 5.0


def test_masks_that_touch_the_border_have_a_surface_there():
    mask = np.ones((4, 5, 6), bool)
    other = mask.copy()
    other[0] = False
    assert hd95(mask, other, (2.0, 1.0, 1.0)) == pytest.approx(brute_hd95(mask, other, (2.0, 1.0, 1.0)))


def test_empty_masks():
    empty, full = np.zeros((3, 4, 5), bool), np.ones((3, 4, 5), bool)
    assert dice(empty, empty) == 1 and hd95(empty, empty, SPACING) == 0
    assert dice(empty, full) == 0
    diagonal = np.linalg.norm([9.0, 4.0, 4.0])
    assert hd95(empty, full, SPACING) == pytest.approx(diagonal)
    assert hd95(full, empty, SPACING) == pytest.approx(diagonal)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_metrics_are_symmetric_and_bounded(seed, other):
    a, b = blobs(seed, (4, 8, 8), 0.0), blobs(other, (4, 8, 8), 0.0)
    assert 0 <= dice(a, b) == dice(b, a) <= 1
    assert hd95(a, b, SPACING) == pytest.approx(hd95(b, a, SPACING))
    assert hd95(a, a, SPACING) == 0 and dice(a, a) == 1


def test_size_groups_are_fifths():
    volumes = np.random.default_rng(0).permutation(np.arange(1.0, 51.0))
    groups = size_groups(volumes)
    for index, name in enumerate(SIZE_GROUPS):
        members = sorted(v for v, g in zip(volumes, groups, strict=True) if g == name)
        assert members == list(range(10 * index + 1, 10 * index + 11))


@pytest.mark.parametrize("n", [0, 1, 2, 4])
def test_few_tumours_still_get_groups_in_order(n):
    groups = size_groups([float(v) for v in range(n)])
    ranks = [SIZE_GROUPS.index(g) for g in groups]
    assert len(groups) == n and ranks == sorted(ranks)
