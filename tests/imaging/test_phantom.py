import numpy as np
import pytest
from scipy import ndimage

from clisc_engine.imaging.phantom import make_phantom
from clisc_engine.imaging.phantom.lesion import KINDS
from clisc_engine.imaging.phantom.noise import interpolated

GRID = {"shape": (24, 72, 60), "spacing": (6.0, 2.8, 2.8)}


def test_one_seed_is_one_volume():
    one, other, different = (make_phantom(seed, **GRID) for seed in (5, 5, 6))
    assert np.array_equal(one.image, other.image) and np.array_equal(one.mask, other.mask)
    assert not np.array_equal(one.image, different.image)


@pytest.mark.parametrize("kind", KINDS)
def test_lesions_have_about_the_volume_asked_for_and_lie_in_the_brain(kind):
    phantom = make_phantom(11, kind=kind, volume_ml=60.0, **GRID)
    assert phantom.image.dtype == np.float32 and phantom.mask.dtype == np.uint8
    assert phantom.image.min() == 0 and np.isfinite(phantom.image).all()
    assert not phantom.mask[phantom.image == 0].any()
    volume = phantom.mask.sum() * np.prod(phantom.spacing) / 1000
    assert (15 if kind == "cavity" else 35) < volume < 95
    assert kind in phantom.description


def test_without_tumour_the_mask_is_empty():
    assert not make_phantom(3, tumour=False, **GRID).mask.any()


def test_most_solid_lesions_are_brighter_than_the_tissue_beside_them():
    brighter = 0
    for seed in range(20, 30):
        phantom = make_phantom(seed, kind="solid", volume_ml=50.0, **GRID)
        lesion = phantom.mask > 0
        beside = ndimage.binary_dilation(lesion, iterations=4) & ~lesion & (phantom.image > 0)
        brighter += np.median(phantom.image[lesion]) > np.median(phantom.image[beside])
    assert brighter >= 9


def test_by_default_the_grid_is_drawn_and_cut_to_the_brain():
    phantom = make_phantom(40)
    assert 1.0 <= phantom.spacing[0] <= 6.0 and 0.8 <= phantom.spacing[1] <= 2.0
    filled = phantom.image > 0
    for axis in range(3):
        line = np.flatnonzero(filled.any(axis=tuple(a for a in range(3) if a != axis)))
        assert line[0] <= 2 and line[-1] >= phantom.image.shape[axis] - 3


@pytest.mark.parametrize("nodes", [3, 40])
def test_fields_are_interpolated_as_scipy_does_to_the_bit(nodes):
    rng = np.random.default_rng(0)
    lattice = rng.standard_normal((nodes,) * 3).astype(np.float32)
    points = rng.uniform(-3 * nodes, 3 * nodes, (3, 20_000)).astype(np.float32)
    points[:, :200] = np.rint(points[:, :200])  # nodes themselves, and where the lattice begins anew
    wanted = ndimage.map_coordinates(lattice, points, order=1, mode="grid-wrap", output=np.float32)
    np.testing.assert_array_equal(interpolated(lattice, points), wanted)
