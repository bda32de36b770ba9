"""What a header claims is checked before anything of that size is allocated."""

import gzip
import os
import struct

import numpy as np
import pytest
import SimpleITK as sitk

from clisc_engine.errors import BadInput
from clisc_engine.imaging.references import read_mask
from clisc_engine.imaging.volume import read_volume
from tests.support.volumes import ball, write


def edited(path, change):
    """A volume written to ``path``, its uncompressed bytes changed."""
    write(path, ball())
    zipped = path.name.endswith(".gz")
    data = bytearray(gzip.decompress(path.read_bytes()) if zipped else path.read_bytes())
    data = change(data)
    path.write_bytes(gzip.compress(data) if zipped else data)
    return path


def put(offset, layout, *values):
    """Overwrite a field of a NIfTI header."""

    def change(data):
        struct.pack_into(layout, data, offset, *values)
        return data

    return change


def swap(old, new):
    def change(data):
        assert old in data
        return data.replace(old, new, 1)

    return change


def compressed_nrrd(path):
    sitk.WriteImage(sitk.GetImageFromArray(ball()), str(path), useCompression=True)
    path.write_bytes(swap(b"sizes: 24 24 12", b"sizes: 90000 90000 90000")(path.read_bytes()))


def huge_but_there(path):
    edited(path, put(42, "<3h", 1000, 1000, 1000))
    os.truncate(path, 5 * 10**9)  # a sparse file: no block of it is on the disk


CLAIMS = {
    "a.nii": (lambda p: edited(p, put(42, "<3h", 30000, 30000, 30000)), "cannot hold"),
    "b.nii.gz": (lambda p: edited(p, put(42, "<3h", 30000, 30000, 30000)), "cannot hold"),
    "c.nii": (lambda p: edited(p, put(42, "<h", 25)), "cannot hold"),
    "d.nrrd": (lambda p: edited(p, swap(b"sizes: 24 24 12", b"sizes: 24 24 13")), "cannot hold"),
    "e.nrrd": (compressed_nrrd, "cannot hold"),
    "f.mha": (lambda p: edited(p, swap(b"DimSize = 24 24 12", b"DimSize = 9999 9999 99")), "cannot hold"),
    "g.nii": (huge_but_there, "more than any MR volume"),
}


@pytest.mark.parametrize("read", [read_volume, read_mask])
@pytest.mark.parametrize("name", CLAIMS)
def test_a_header_that_claims_an_absurd_size_is_refused_before_allocation(tmp_path, name, read):
    make, reason = CLAIMS[name]
    make(tmp_path / name)
    with pytest.raises(BadInput, match=reason) as error:
        read(tmp_path / name)
    assert name in str(error.value)


GRIDS = {
    **{
        f"nifti spacing {value}": ("a.nii", put(80, "<f", value), "spacing")
        for value in (0.0, -1.0, float("nan"), float("inf"), 1e-30, 1e30)
    },
    "nifti.gz spacing": ("a.nii.gz", put(84, "<f", 0.0), "spacing"),
    "nifti origin": ("a.nii", lambda d: put(292, "<f", np.nan)(put(268, "<f", np.nan)(d)), "origin"),
    "nifti axes": ("a.nii", put(280, "<f", np.nan), "directions"),
    "nrrd spacing": ("a.nrrd", swap(b"(1,0,0)", b"(0,0,0)"), "spacing"),
    "mha spacing 0": ("a.mha", swap(b"ElementSpacing = 1 1 1", b"ElementSpacing = 0 1 1"), "spacing"),
    "mha spacing -1": ("a.mha", swap(b"ElementSpacing = 1 1 1", b"ElementSpacing = -1 1 1"), "spacing"),
    "mha spacing nan": ("a.mha", swap(b"ElementSpacing = 1 1 1", b"ElementSpacing = nan 1 1"), "spacing"),
    "mha axes": ("a.mha", swap(b"Matrix = 1 0 0 0 1 0", b"Matrix = 1 0 0 1 0 0"), "directions"),
}


@pytest.mark.parametrize("kind", GRIDS)
def test_grids_that_no_scanner_makes_are_refused(tmp_path, kind):
    name, change, reason = GRIDS[kind]
    path = edited(tmp_path / name, change)
    with pytest.raises(BadInput, match=reason) as error:
        read_volume(path)
    assert name in str(error.value)


def test_scaled_integers_are_taken_at_their_size_in_the_file(tmp_path):
    """ITK calls them float, four bytes a voxel; the file holds two."""
    path = write(tmp_path / "a.nii", np.rint(ball()).astype(np.int16))
    data = bytearray(path.read_bytes())
    struct.pack_into("<2f", data, 112, 0.5, 0.0)
    path.write_bytes(data)
    np.testing.assert_allclose(read_volume(path).array, np.rint(ball()) / 2)


def test_a_highly_compressible_volume_is_not_taken_for_a_lie(tmp_path):
    array = np.zeros((80, 200, 200), np.int16)
    array[40, 100, 100] = 1
    path = tmp_path / "a.nii.gz"
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path), useCompression=True)
    assert read_mask(path).array.sum() == 1


def test_voxels_outside_the_folder_of_their_header_are_refused(tmp_path):
    inside = write(tmp_path / "images" / "a.mhd", ball())
    np.testing.assert_array_equal(read_volume(inside).array, ball())
    (tmp_path / "images" / "a.raw").rename(tmp_path / "a.raw")
    with pytest.raises(BadInput, match=r"a\.raw, which is not there"):
        read_volume(inside)
    inside.write_bytes(inside.read_bytes().replace(b"= a.raw", b"= ../a.raw"))
    with pytest.raises(BadInput, match="outside its own folder"):
        read_volume(inside)


@pytest.mark.parametrize("ending", [".mhd", ".nhdr"])
def test_voxels_in_a_file_with_spaces_in_its_name_are_read(tmp_path, ending):
    path = write(tmp_path / f"axial FLAIR 1{ending}", ball())
    np.testing.assert_array_equal(read_volume(path).array, ball())
    path.with_suffix(".raw").unlink()
    with pytest.raises(BadInput, match=r"axial FLAIR 1\.raw"):
        read_volume(path)


def test_each_of_several_files_of_voxels_lies_in_the_folder_of_their_header(tmp_path):
    path = write(tmp_path / "images" / "a.mhd", ball())
    voxels = (tmp_path / "images" / "a.raw").read_bytes()
    count = len(ball())
    each = len(voxels) // count
    for number in range(count):
        (path.parent / f"s{number}.raw").write_bytes(voxels[number * each : (number + 1) * each])
    named = "LIST\n" + "".join(f"s{number}.raw\n" for number in range(count))
    path.write_bytes(path.read_bytes().replace(b"a.raw\n", named.encode()))
    np.testing.assert_array_equal(read_volume(path).array, ball())
    (path.parent / "s3.raw").rename(tmp_path / "s3.raw")
    path.write_bytes(path.read_bytes().replace(b"s3.raw", b"../s3.raw"))
    with pytest.raises(BadInput, match="outside its own folder"):
        read_volume(path)
