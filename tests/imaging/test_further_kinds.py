"""Kinds of faulty images found by trying: each is refused by name, or told in a line."""

import gzip

import numpy as np
import pytest

from clisc_engine.errors import BadInput
from clisc_engine.imaging.background import find_background
from clisc_engine.imaging.geometry import Geometry, difference
from clisc_engine.imaging.volume import read_volume
from tests.support.dicoms import GAP, head, multi_frame, place, slice_of, stack, write
from tests.support.niftis import affine, nifti


def upon(**second):
    """A stack, and as many slices upon it that differ from it in what is given."""
    array = head()
    above = [
        slice_of(
            plane,
            place(len(array) + k),
            second.get("InstanceNumber", 9) + k,
            uid="1.2.826.0.1.3680043.10.1",
        )
        for k, plane in enumerate(array)
    ]
    for one in above:
        one.SOPInstanceUID += ".2"
        for keyword, value in second.items():
            if keyword != "InstanceNumber":
                setattr(one, keyword, value)
    below = stack(array)
    for one in below:
        one.SeriesNumber, one.AcquisitionNumber = 3, 1
    for one in above:
        one.SeriesNumber = second.get("SeriesNumber", 3)
        one.AcquisitionNumber = second.get("AcquisitionNumber", 1)
    return below + above


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"SeriesNumber": 4}, "series number"),
        ({"SeriesDescription": "AX T1"}, "series description"),
        ({"InstanceNumber": 1}, "begin anew"),
    ],
)
def test_one_image_upon_another_is_refused(tmp_path, second, said):
    with pytest.raises(BadInput, match=said):
        read_volume(write(tmp_path / "a", upon(**second)))


def test_two_acquisitions_one_upon_the_other_are_told(tmp_path):
    volume = read_volume(write(tmp_path / "a", upon(AcquisitionNumber=2)))
    assert volume.geometry.spacing[2] == pytest.approx(GAP)
    assert "2 acquisitions lie one upon the other" in " ".join(volume.notes)


def test_a_multi_frame_file_that_counts_too_few_frames_is_refused(tmp_path):
    file = multi_frame(head())
    file.NumberOfFrames = 6
    with pytest.raises(BadInput, match="6 frames"):
        read_volume(write(tmp_path / "a", [file]))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (gzip.compress(gzip.compress(b"\0" * 400)), "gzipped twice"),
    ],
    ids=["pointer", "page", "twice"],
)
def test_what_is_no_nifti_is_told_for_what_it_is(tmp_path, data, said):
    (tmp_path / "a.nii.gz").write_bytes(data)
    with pytest.raises(BadInput, match=said):
        read_volume(tmp_path / "a.nii.gz")


def test_a_code_that_nifti_does_not_know_is_refused(tmp_path):
    grid = affine()
    path = nifti(tmp_path / "a.nii", head().astype(np.float32), qform=grid, sform=grid, codes=(1, 1))
    data = bytearray(path.read_bytes())
    data[254:256] = (9).to_bytes(2, "little")
    path.write_bytes(data)
    with pytest.raises(BadInput, match="sform code 9"):
        read_volume(path)


def test_far_from_the_origin_a_voxel_off_is_another_place():
    axes = (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)
    one = Geometry((9, 9, 9), (1.0, 1.0, 1.0), (1500.0, 0, 0), axes)
    other = Geometry((9, 9, 9), (1.0, 1.0, 1.0), (1501.0, 0, 0), axes)
    assert "origin" in difference(one, other)


@pytest.mark.parametrize("background", [0.0, -1024.0])
def test_slices_of_another_constant_are_refused(background):
    array = np.full((12, 20, 20), background, np.float32)
    array[2:10, 6:14, 6:14] = np.random.default_rng(0).random((8, 8, 8)) + 1
    assert find_background(array, "a").value == background
    array[10] = -1
    with pytest.raises(
        BadInput, match="slice 11 along its third axis" if background == 0 else "two backgrounds"
    ):
        find_background(array, "a")
