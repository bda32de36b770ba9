"""What the text headers of NRRD and MetaImage leave open is told or refused; ITK takes it for granted."""

import numpy as np
import pytest
import SimpleITK as sitk

import clisc_engine
from clisc_engine.errors import BadInput
from clisc_engine.imaging.volume import read_volume, write_mask
from tests.support.volumes import ball

LPS = "space: left-posterior-superior"
DIRECTIONS = "space directions: (2,0,0) (0,1,0) (0,0,3)"
SPACING = "ElementSpacing = 2 1 3"
TILTED = "TransformMatrix = 1 0 0 0 1 0 0 0.3 0.954"


def nrrd(path, *lines):
    array = ball().astype("<f4")
    head = ["NRRD0004", "type: float", "dimension: 3", "sizes: 24 24 12", "endian: little", "encoding: raw"]
    path.write_bytes("\n".join([*head, *lines, "", ""]).encode() + array.tobytes())
    return path


def meta(path, *lines):
    array = ball().astype("<f4")
    head = ["ObjectType = Image", "NDims = 3", "BinaryData = True", "BinaryDataByteOrderMSB = False"]
    tail = ["DimSize = 24 24 12", "ElementType = MET_FLOAT", "ElementDataFile = LOCAL", ""]
    path.write_bytes("\n".join([*head, *lines, *tail]).encode() + array.tobytes())
    return path


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["spacings: 2 1 3"], "names no space"),
        (["space dimension: 3", DIRECTIONS], "names no space"),
        (["space: scanner-xyz", DIRECTIONS], "its space is scanner-xyz"),
    ],
)
def test_an_nrrd_that_does_not_say_how_it_lies_is_told(tmp_path, lines, said):
    volume = read_volume(nrrd(tmp_path / "a.nrrd", *lines))
    assert said in " ".join(volume.notes) and "does not say how it lies" in " ".join(volume.notes)
    assert volume.geometry.spacing == (2, 1, 3)


def test_a_metaimage_that_does_not_say_how_it_lies_is_told(tmp_path):
    volume = read_volume(meta(tmp_path / "a.mha", SPACING, "AnatomicalOrientation = LPI"))
    assert "no TransformMatrix" in " ".join(volume.notes)


@pytest.mark.parametrize("space", ["left-posterior-superior", "RAS", "left-anterior-superior"])
def test_those_that_say_it_are_taken_without_a_word(tmp_path, space):
    assert not read_volume(nrrd(tmp_path / "a.nrrd", f"space: {space}", DIRECTIONS)).notes
    told = meta(tmp_path / "a.mha", SPACING, "TransformMatrix = 0 1 0 1 0 0 0 0 1")
    assert not read_volume(told).notes


def test_without_a_spacing_or_in_another_unit_they_are_refused(tmp_path):
    with pytest.raises(BadInput, match=r"a\.nrrd has no spacing"):
        read_volume(nrrd(tmp_path / "a.nrrd"))
    with pytest.raises(BadInput, match=r"a\.mha has no spacing"):
        read_volume(meta(tmp_path / "a.mha"))
    with pytest.raises(BadInput, match="counts in cm"):
        read_volume(nrrd(tmp_path / "b.nrrd", LPS, DIRECTIONS, 'space units: "cm" "cm" "cm"'))
    assert read_volume(nrrd(tmp_path / "c.nrrd", LPS, DIRECTIONS, 'space units: "mm" "mm" "mm"'))


def test_sheared_axes_are_refused_as_those_of_nifti_are(tmp_path):
    tilted = "space directions: (2,0,0) (0,1,0) (0,0.9,3)"
    for path in (nrrd(tmp_path / "a.nrrd", LPS, tilted), meta(tmp_path / "a.mha", TILTED, SPACING)):
        with pytest.raises(BadInput, match=r"sheared.*straight grid"):
            read_volume(path)
    with pytest.raises(BadInput, match=r"sheared.*straight grid"):
        clisc_engine.predict("bundled", sitk.ReadImage(str(tmp_path / "a.mha")))


def test_lengths_that_stand_in_the_directions_count_as_spacing(tmp_path):
    path = meta(tmp_path / "a.mha", "TransformMatrix = 2 0 0 0 1 0 0 0 3", "ElementSpacing = 1 1 1")
    volume = read_volume(path)
    assert volume.geometry.spacing == (2, 1, 3)
    write_mask(tmp_path / "mask.nii.gz", volume.array > 120, volume.geometry)
    scan, mask = (sitk.ReadImage(str(tmp_path / name)) for name in ("a.mha", "mask.nii.gz"))
    corner = (23, 23, 11)
    np.testing.assert_allclose(
        scan.TransformIndexToPhysicalPoint(corner), mask.TransformIndexToPhysicalPoint(corner), atol=1e-4
    )
