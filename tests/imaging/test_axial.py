"""The letters on a shown slice are the patient's sides, however the file stores its voxels.

The oracle is SimpleITK: a scene is placed by its physical coordinates (LPS, mm) and written in every order.
"""

import itertools
import math

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from clisc_engine.imaging.axial import AxialView
from clisc_engine.imaging.geometry import geometry_of
from clisc_engine.imaging.placement import Placement
from clisc_engine.imaging.preprocess import preprocess
from clisc_engine.imaging.volume import read_volume
from tests.support.oriented import OBLIQUE

CODES = [
    "".join(letters)
    for axes in itertools.permutations(("RL", "AP", "SI"))
    for letters in itertools.product(*axes)
]
SIZE, SPACING = (20, 26, 16), (2.0, 1.5, 3.0)


def scene(direction=None):
    """A head whose right, front, low part alone is bright, with three empty slices below; stored as LPS."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SIZE[::-1]), indexing="ij")
    texture = np.random.default_rng(3).normal(100, 5, x.shape)
    head = np.where(x**2 + y**2 + z**2 < 0.95, texture, 0).astype(np.float32)
    image = sitk.GetImageFromArray(head)
    image.SetSpacing(SPACING)
    image.SetOrigin((-19.0, -18.75, -22.5))
    if direction is not None:
        image.SetDirection(direction.ravel().tolist())
        return image
    for index in np.argwhere(head != 0)[:, ::-1].tolist():
        left, back, up = image.TransformIndexToPhysicalPoint(index)
        if left < -6 and back < -5 and up < -6:
            image[index] = 300.0
    return image


def stored(image, path):
    sitk.WriteImage(image, str(path))
    array, _, placement = preprocess(read_volume(path))
    return array, AxialView.of(placement)


@pytest.mark.parametrize("code", CODES)
def test_the_bright_side_is_under_the_letter_of_its_side_in_every_order(code, tmp_path):
    image = sitk.DICOMOrient(scene(), code)
    array, view = stored(image, tmp_path / "a.nrrd")
    z, y, x = np.argwhere(array > 2).mean(axis=0) / np.array(array.shape)
    assert (view.left if x < 0.5 else view.right) == "R"
    assert (view.top if y < 0.5 else view.bottom) == "A"
    assert z < 0.5, "the lowest slice is the first"
    assert {view.left + view.right, view.top + view.bottom} == {"RL", "AP"}
    assert view.convention == "radiological: patient's right on the left" and not view.caution
    assert view.pixel == (SPACING[1], SPACING[0])


@pytest.mark.parametrize("code", ["LPS", "RAI", "ASL"])
def test_a_slice_has_the_number_that_it_has_in_the_volume_from_below(code, tmp_path):
    array, view = stored(sitk.DICOMOrient(scene(), code), tmp_path / "a.nii.gz")
    upright = sitk.GetArrayFromImage(sitk.DICOMOrient(sitk.ReadImage(str(tmp_path / "a.nii.gz")), "LPS"))
    filled = [z for z in range(len(upright)) if upright[z].any()]
    assert [view.axial_slice(z) for z in range(len(array))] == filled and filled[0] > 0


def test_letters_of_an_oblique_volume_are_of_the_nearest_sides_with_the_angle(tmp_path):
    image = scene(OBLIQUE)
    _, view = stored(image, tmp_path / "a.nrrd")
    upright = sitk.DICOMOrient(image, "LPS")
    middle = [(n - 1) / 2 for n in upright.GetSize()]
    off = []
    for axis, (first, second) in enumerate(((view.left, view.right), (view.top, view.bottom))):
        ends = [[*middle], [*middle]]
        ends[1][axis] += 10
        start, end = (np.array(upright.TransformContinuousIndexToPhysicalPoint(point)) for point in ends)
        along = (end - start) / np.linalg.norm(end - start)
        nearest = int(np.abs(along).argmax())
        towards = ("RL", "AP", "IS")[nearest] if along[nearest] > 0 else ("LR", "PA", "SI")[nearest]
        assert (first, second) == tuple(towards)
        off.append(math.degrees(math.acos(abs(along[nearest]))))
    assert view.tilt == pytest.approx(max(off), abs=1e-4)
    assert view.caution == f"oblique: letters name the nearest sides, up to {max(off):.0f}° off"


@pytest.mark.parametrize(
    ("code", "letters", "convention"),
    [
        ("LPS", "RLAP", "radiological: patient's right on the left"),
        ("RPS", "LRAP", "neurological: patient's left on the left"),
        ("RAS", "LRPA", "neurological: patient's left on the left"),
        ("PIR", "APSI", "patient's front on the left"),
    ],
)
def test_letters_follow_the_grid_and_no_habit(code, letters, convention):
    """SimpleITK's code names where the axes lead to; a picture begins where they come from."""
    grid = geometry_of(sitk.DICOMOrient(scene(), code))
    view = AxialView.of(Placement(grid, grid, ((3, 9), (0, 4), (0, 4))))
    assert view.left + view.right + view.top + view.bottom == letters
    assert view.convention == convention and view.axial_slice(2) == 5


@given(st.integers(1, 1000), st.floats(0.05, 10))
def test_the_bar_is_a_round_length_that_fits(columns, width):
    view = AxialView("R", "L", "A", "P", 0.0, (1.0, width), 0)
    mm, most = view.bar(columns), 0.4 * columns * width
    assert 0.4 * most <= mm * (1 + 1e-6) and mm <= most * (1 + 1e-6)
    digits = f"{mm:.6e}"
    assert digits[:8] in {"1.000000", "2.000000", "5.000000"}
