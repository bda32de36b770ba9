import json

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from clisc_engine.errors import BadInput
from clisc_engine.imaging.background import find_background
from clisc_engine.imaging.placement import Placement, restore, stored_part
from clisc_engine.imaging.preprocess import preprocess
from clisc_engine.imaging.references import on_grid, read_mask
from clisc_engine.imaging.volume import read_volume
from tests.support.volumes import ball, write

AXES = {
    "axial": np.eye(3),
    "flipped": np.diag([-1.0, -1.0, 1.0]),
    "upside-down": np.diag([1.0, -1.0, -1.0]),
    "sagittal": np.array([[0, 0, 1.0], [1, 0, 0], [0, 1, 0]]),
    "coronal": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "oblique": Rotation.from_euler("xyz", [17, -9, 24], degrees=True).as_matrix(),
    "oblique sagittal": Rotation.from_euler("xyz", [8, 5, -11], degrees=True).as_matrix()
    @ np.array([[0, 0, 1.0], [1, 0, 0], [0, 1, 0]]),
}


def placed(tmp_path, axes, shape=(12, 24, 30), spacing=(0.9, 1.1, 4.0)):
    """An image and a mask of single marked voxels on the same grid."""
    array = ball(shape)
    marks = np.zeros(shape, np.uint8)
    inside = np.argwhere(array != 0)
    marks[tuple(inside[np.random.default_rng(0).choice(len(inside), 60, replace=False)].T)] = 1
    where = {"spacing": spacing, "origin": (-31.0, 12.5, 7.0), "direction": AXES[axes]}
    return (
        read_volume(write(tmp_path / "a.nii.gz", array, **where)),
        read_mask(write(tmp_path / "a_seg.nii.gz", marks, **where)),
    )


@pytest.mark.parametrize("axes", AXES)
def test_a_mask_returns_to_the_very_voxels_it_came_from(tmp_path, axes):
    volume, marks = placed(tmp_path, axes)
    image, _, placement = preprocess(volume)
    stored = stored_part(marks.array, placement)
    assert stored.shape == image.shape
    back = restore(stored, placement)
    np.testing.assert_array_equal(back, marks.array)


@pytest.mark.parametrize("axes", AXES)
def test_stored_voxels_lie_where_they_lay_in_the_patient(tmp_path, axes):
    volume, _ = placed(tmp_path, axes)
    image, spacing, placement = preprocess(volume)
    source = sitk.ReadImage(str(tmp_path / "a.nii.gz"))
    grid = placement.grid
    z, y, x = np.unravel_index(np.argmin(image), image.shape)
    corner = np.array([placement.crop[2][0] + x, placement.crop[1][0] + y, placement.crop[0][0] + z])
    step = np.array(grid.direction).reshape(3, 3) @ (corner * np.array(grid.spacing))
    position = np.array(grid.origin) + step
    index = source.TransformPhysicalPointToIndex(position.tolist())
    assert source[index] == pytest.approx(volume.array[volume.array != 0].min())
    assert spacing == tuple(reversed(grid.spacing))


@pytest.mark.parametrize("axes", ["axial", "oblique", "sagittal"])
def test_resampled_masks_return_within_half_a_voxel(tmp_path, axes):
    volume, _ = placed(tmp_path, axes, shape=(10, 40, 44), spacing=(0.7, 0.7, 3.0))
    image, spacing, placement = preprocess(volume, resample_in_plane=1.0)
    assert spacing[1:] == (1.0, 1.0)
    back = restore((image != 0).astype(np.uint8), placement)
    brain = volume.array != 0
    assert back.shape == brain.shape
    assert 2 * (back & brain).sum() / (back.sum() + brain.sum()) > 0.94


def resampled(tmp_path, axes, side, ratio):
    """The placement of a brain of ``side`` pixels across with a rim of background, and the file's shape."""
    shape = (side, side, 8) if "sagittal" in axes else (8, side, side)
    if axes == "coronal":
        shape = (side, 8, side)
    spacing = tuple(4.0 if n == 8 else 1.0 for n in reversed(shape))
    array = np.zeros(shape, np.float32)
    array[1:-1, 1:-1, 1:-1] = np.random.default_rng(0).normal(100, 10, [n - 2 for n in shape])
    file = write(tmp_path / "a.nii.gz", array, spacing=spacing, direction=AXES[axes])
    return preprocess(read_volume(file), resample_in_plane=ratio)[2], shape


@pytest.mark.parametrize("ratio", [0.7, 1.25, 1.5, 2.0, 2.5, 3.0])
@pytest.mark.parametrize("axes", AXES)
def test_resampled_masks_do_not_come_back_to_one_side(tmp_path, axes, ratio):
    """Some of the scan's voxels lie midway between two of the coarser ones."""
    rng, moved = np.random.default_rng(0), []
    for side in (60, 61):
        placement, shape = resampled(tmp_path, axes, side, ratio)
        where = np.indices(shape)
        for _ in range(40):
            middle, radius = (rng.uniform(a, b, 3) * shape for a, b in ((0.35, 0.65), (0.12, 0.25)))
            away = [(at - m) / r for at, m, r in zip(where, middle, radius, strict=True)]
            mask = (np.square(away).sum(axis=0) <= 1).astype(np.uint8)
            back = restore(stored_part(mask, placement), placement)
            moved.append(np.argwhere(back).mean(axis=0) - np.argwhere(mask).mean(axis=0))
    assert np.abs(np.mean(moved, axis=0)).max() < 0.12


@pytest.mark.parametrize(
    ("ratio", "side"), [(1.5, 60), (1.5, 63), (2.0, 60), (2.5, 60), (2.5, 65), (3.0, 63)]
)
@pytest.mark.parametrize("axes", AXES)
def test_a_resampled_mask_symmetrical_in_its_scan_comes_back_so(tmp_path, axes, ratio, side):
    placement, shape = resampled(tmp_path, axes, side, ratio)
    away = [(np.arange(n) - (n - 1) / 2) / n for n in shape]
    for radius in np.linspace(0.1, 0.45, 15):
        mask = (sum(np.square(axis) for axis in np.ix_(*away)) <= radius**2).astype(np.uint8)
        back = restore(stored_part(mask, placement), placement)
        np.testing.assert_allclose(np.argwhere(back).mean(axis=0), [(n - 1) / 2 for n in shape], atol=1e-9)


@pytest.mark.parametrize("ratio", [0.7, 1.25, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("axes", AXES)
def test_a_resampled_brain_lies_where_its_ellipsoid_does(tmp_path, axes, ratio):
    """The oracle is the ellipsoid's own middle in the patient, which no grid has drawn."""
    rng, moved, kept = np.random.default_rng(0), [], []
    for _ in range(12):
        size = rng.integers(84, 90, 3)  # x, y, z
        across = np.where(np.abs(AXES[axes][2]) > 0.7, 4.0, 1.0)  # the axis along z has thick slices
        size = np.where(across == 4, 24, size)
        where = {"spacing": across.tolist(), "origin": (-31.0, 12.5, 7.0), "direction": AXES[axes]}
        places = AXES[axes] @ (np.indices(size).reshape(3, -1) * across[:, None])
        middle = AXES[axes] @ ((size - 1) / 2 * across + rng.uniform(-3, 3, 3))
        radii = rng.uniform(33, 37, 3)
        inside = np.square((AXES[axes].T @ (places - middle[:, None])) / radii[:, None]).sum(axis=0) < 1
        array = np.where(inside, rng.normal(100, 9, inside.shape), 0).reshape(size).T
        volume = read_volume(write(tmp_path / "a.nii.gz", array.astype(np.float32), **where))
        image, _, placement = preprocess(volume, resample_in_plane=ratio)
        corner = [start for start, _ in reversed(placement.crop)]
        index = np.argwhere(image)[:, ::-1].mean(axis=0) + corner
        grid = placement.grid
        found = grid.matrix @ (index * grid.spacing) + grid.origin
        moved.append(grid.matrix.T @ (found - middle - where["origin"]))
        volume_of = np.count_nonzero(image) * np.prod(grid.spacing)
        kept.append(volume_of / (inside.sum() * np.prod(across)))
    assert np.abs(np.mean(moved, axis=0)).max() < 0.1  # mm
    assert np.mean(kept) == pytest.approx(1, abs=0.01)


def test_placement_survives_json(tmp_path):
    volume, marks = placed(tmp_path, "oblique")
    _, _, placement = preprocess(volume)
    again = Placement.from_dict(json.loads(json.dumps(placement.to_dict())))
    assert again == placement
    np.testing.assert_array_equal(restore(stored_part(marks.array, again), again), marks.array)


def test_brain_is_normalised_and_background_is_exactly_zero(tmp_path):
    array = ball((12, 24, 24))
    brain = array != 0
    array[6, 12, 12] = 1e5  # one hot voxel: clipped away
    image, _, _ = preprocess(read_volume(write(tmp_path / "a.nii.gz", array)))
    inside = image[image != 0]
    assert inside.size == brain.sum() and abs(inside.mean()) < 0.01
    assert abs(inside.std() - 1) < 0.01 and inside.max() < 5


def test_a_mask_on_another_grid_is_refused(tmp_path):
    volume, _ = placed(tmp_path, "axial")
    _, _, placement = preprocess(volume)
    marks = np.zeros((12, 24, 30), np.uint8)
    moved = {"spacing": (0.9, 1.1, 4.0), "origin": (-31.0, 12.5, 9.0)}
    with pytest.raises(BadInput, match=r"b_seg.*grid: origin"):
        on_grid(read_mask(write(tmp_path / "b_seg.nii.gz", marks, **moved)), placement.source)
    with pytest.raises(BadInput, match=r"c_seg.*size 30 x 24 x 11 against"):
        on_grid(read_mask(write(tmp_path / "c_seg.nii.gz", marks[1:])), placement.source)


def test_too_little_brain_is_refused(tmp_path):
    array = np.zeros((8, 20, 20), np.float32)
    array[4, 8:12, 8:12] = np.arange(16).reshape(4, 4)
    with pytest.raises(BadInput, match="too few for a brain"):
        preprocess(read_volume(write(tmp_path / "a.nii.gz", array)))


def test_skulls_are_noticed_on_real_scans(real_data):
    for path in sorted(real_data.glob("*_flair.nii.gz")):
        assert find_background(read_volume(path).array, str(path)).surrounds, path.name
    for path in (real_data / "not-skull-stripped").glob("*.nii.gz"):
        assert not find_background(read_volume(path).array, str(path)).surrounds, path.name


def test_real_scans_return_to_their_own_grid(real_data):
    for path in sorted(real_data.glob("*_flair.nii.gz")):
        volume = read_volume(path)
        image, _, placement = preprocess(volume)
        back = restore((image != 0).astype(np.uint8), placement)
        np.testing.assert_array_equal(back, volume.array != 0)
