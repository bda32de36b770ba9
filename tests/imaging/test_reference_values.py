"""What a reference mask's values mean, and where its voxels lie; against nibabel and SimpleITK."""

import itertools

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from clisc_engine.errors import BadInput
from clisc_engine.imaging.placement import restore
from clisc_engine.imaging.preprocess import preprocess
from clisc_engine.imaging.references import on_grid, read_mask, read_reference
from clisc_engine.imaging.volume import read_volume, read_voxels
from tests.support.layouts import write_dicom
from tests.support.volumes import ball, write

SHAPE, WHERE = (12, 24, 30), {"spacing": (0.9, 1.1, 4.0), "origin": (-31.0, 12.5, 7.0)}
ORIENTATIONS = [
    "".join(letters)
    for axes in itertools.permutations(("LR", "PA", "SI"))
    for letters in itertools.product(*axes)
]


def numbered(tmp_path, direction=None):
    """A volume in which every voxel has a value of its own."""
    array = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    return write(tmp_path / "a.nii.gz", array, **WHERE, direction=direction), array


@pytest.mark.parametrize("tilt", [(0, 0, 0), (17, -9, 24)], ids=["straight", "oblique"])
def test_every_order_of_axes_is_turned_voxel_by_voxel(tmp_path, tilt):
    path, array = numbered(tmp_path, Rotation.from_euler("xyz", tilt, degrees=True).as_matrix())
    grid = read_voxels(path).geometry
    image = sitk.ReadImage(str(path))
    assert len(set(ORIENTATIONS)) == 48
    for code in ORIENTATIONS:
        sitk.WriteImage(sitk.DICOMOrient(image, code), str(tmp_path / "b.nii.gz"))
        turned = on_grid(read_voxels(tmp_path / "b.nii.gz"), grid)
        np.testing.assert_array_equal(turned.array, array)
        assert turned.geometry == grid
        assert len(turned.notes) == (code != "LPS")


def test_a_mask_that_nibabel_reordered_lies_where_nibabel_says(tmp_path):
    path, _ = numbered(tmp_path)
    marks = np.zeros(SHAPE, np.uint8)
    marks[2:5, 3:9, 20:22] = 1
    write(tmp_path / "m.nii.gz", marks, **WHERE)
    canonical = nibabel.as_closest_canonical(nibabel.load(tmp_path / "m.nii.gz"))
    nibabel.save(canonical, tmp_path / "ras.nii.gz")
    mask = read_reference(tmp_path / "ras.nii.gz", read_voxels(path).geometry, marks >= 0)
    np.testing.assert_array_equal(mask.array, marks)


def test_a_mask_made_over_dcm2niix_s_file_fits_the_dicom_series(tmp_path):
    """dcm2niix stores rows from the back to the front; DICOM has them from front to back."""
    volume = read_volume(write_dicom(tmp_path / "dicom", np.rint(ball(SHAPE))))
    marks = np.zeros(SHAPE, np.uint8)
    marks[4:8, 6:11, 9:19] = 1
    straight = sitk.GetImageFromArray(marks)
    for name in ("Spacing", "Origin", "Direction"):
        getattr(straight, f"Set{name}")(getattr(volume.geometry, name.lower()))
    sitk.WriteImage(sitk.DICOMOrient(straight, "LAS"), str(tmp_path / "m.nii.gz"))
    mask = read_reference(tmp_path / "m.nii.gz", volume.geometry, volume.array != 0)
    np.testing.assert_array_equal(mask.array, marks)


@pytest.mark.parametrize(
    ("grid", "reason"),
    [
        ({"spacing": (1.1, 0.9, 4.0)}, "spacing"),
        ({"origin": (-31.0, 12.5, 9.0)}, "origin"),
        ({"direction": Rotation.from_euler("z", 2, degrees=True).as_matrix()}, "direction"),
        ({"direction": np.array([[0, 1.0, 0], [1, 0, 0], [0, 0, -1]])}, "size"),
    ],
)
def test_other_places_are_refused_with_the_difference(tmp_path, grid, reason):
    path, array = numbered(tmp_path)
    moved = write(tmp_path / "m_seg.nii.gz", array, **{**WHERE, **grid})
    with pytest.raises(BadInput, match=rf"m_seg.*image's grid: {reason}.*nearest-neighbour"):
        on_grid(read_voxels(moved), read_voxels(path).geometry)


def test_exactly_half_is_background_and_just_above_is_tumour(tmp_path):
    values = np.zeros(SHAPE, np.float32)
    values[5, 5, 5:9] = (0.25, 0.5, np.nextafter(np.float32(0.5), np.float32(1)), 1)
    mask = read_mask(write(tmp_path / "a_seg.nii.gz", values))
    assert mask.array[5, 5, 4:10].tolist() == [0, 0, 0, 1, 1, 0]
    (note,) = mask.notes
    assert "a_seg.nii.gz" in note and "(2 voxels of 4 that are not 0)" in note


def test_labels_that_the_header_scales_are_taken_as_they_read(tmp_path):
    stored = np.zeros(SHAPE[::-1], np.int16)
    stored[9, 5, 5], stored[10, 5, 5] = 100, 200
    file = nibabel.Nifti1Image(stored, np.eye(4))
    file.header.set_slope_inter(0.01, 0)
    nibabel.save(file, tmp_path / "a_seg.nii.gz")
    mask = read_mask(tmp_path / "a_seg.nii.gz")
    assert np.argwhere(mask.array).tolist() == [[5, 5, 9], [5, 5, 10]] and mask.notes == ()


@pytest.mark.parametrize("count", [16, 17])
def test_sixteen_labels_are_a_mask_and_seventeen_are_not(tmp_path, count):
    labels = np.zeros(SHAPE, np.int32)
    labels[3, 4, 5 : 5 + count] = np.arange(1, count + 1)
    path = write(tmp_path / "a_seg.nii.gz", labels)
    if count == 16:
        assert read_mask(path).array.sum() == 16
        return
    with pytest.raises(BadInput, match=r"a_seg.*17 different values from 1 to 17"):
        read_mask(path)


def test_a_brain_mask_of_a_head_with_its_skull_is_refused_by_its_volume(tmp_path):
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, 40)] * 3, indexing="ij")
    radius = np.sqrt(z**2 + y**2 + x**2)
    head, brain = radius < 0.95, radius < 0.75
    grid = {"spacing": (5.0, 5.0, 5.0)}
    assert brain.sum() / head.sum() < 0.5 < 1.2 < brain.sum() * 0.125 / 1000
    volume = read_volume(write(tmp_path / "a.nii.gz", (head * 100 + radius).astype(np.float32), **grid))
    path = write(tmp_path / "a_seg.nii.gz", brain.astype(np.uint8), **grid)
    with pytest.raises(BadInput, match=r"a_seg.*49% of the brain, \d+ ml"):
        read_reference(path, volume.geometry, head)


def test_a_tumour_as_large_as_experts_have_drawn_is_taken(tmp_path):
    image = ball(SHAPE)
    brain = image != 0
    tumour = np.cumsum(brain.ravel()).reshape(SHAPE) < 0.3 * brain.sum()
    path = write(tmp_path / "a_seg.nii.gz", (tumour & brain).astype(np.uint8))
    volume = read_volume(write(tmp_path / "a.nii.gz", image))
    assert read_reference(path, volume.geometry, brain).array.sum() == (tumour & brain).sum()


def test_real_masks_are_taken_to_the_voxel(real_data):
    for path in sorted(real_data.glob("*_seg.nii.gz"))[::5]:
        volume = read_volume(path.with_name(path.name.replace("_seg", "_flair")))
        image, _, placement = preprocess(volume)
        brain = restore((image != 0).astype(np.uint8), placement) != 0
        mask = read_reference(path, volume.geometry, brain)
        expected = np.asarray(nibabel.load(path).dataobj).T > 0
        np.testing.assert_array_equal(mask.array, expected)
        outside = int((expected & (volume.array == 0)).sum())
        assert [note.split()[0] for note in mask.notes] == ([str(outside)] if outside else [])
