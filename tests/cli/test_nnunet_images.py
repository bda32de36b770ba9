"""The images of an nnU-Net data set are those that were imported, and nnU-Net can read them."""

import shutil

import nibabel
import numpy as np
import SimpleITK as sitk

from clisc_engine.project.project import open_project
from clisc_engine.project.store import Seal
from tests.support import dicoms
from tests.support.small import small_project


def test_a_data_set_stays_whole_where_a_source_is_gone(clisc, data, tmp_path):
    """All images are looked at before the first is written, also the last one's."""
    sources = shutil.copytree(data, tmp_path / "sources")
    root = with_masks(small_project(tmp_path / "p", sources)).root
    command = ("export", "nnunet", root, "-o", tmp_path / "out", "--masks", "sam", "--force")
    assert clisc(*command).code == 0
    (sources / "images" / "p4_flair.nii.gz").unlink()
    before = sorted((tmp_path / "out").rglob("*"))
    ended = clisc(*command)
    said = ended.message
    assert ended.code == 3 and sorted((tmp_path / "out").rglob("*")) == before
    assert "p4_flair.nii.gz is not there" in said and "--stored-images" in said
    assert clisc(*command, "--cases", "p0,p1").code == 0, "the test case is not asked for"
    folder = tmp_path / "out" / "Dataset501_CLISC"
    assert {path.name for path in folder.glob("images*/*")} == {"p0_0000.nii.gz", "p1_0000.nii.gz"}


def test_an_nnunet_data_set_is_of_the_series_that_was_imported(clisc, tmp_path):
    """A DICOM folder may change as any file may; its labels were drawn on what it was."""
    for number, name in enumerate("ab"):
        slices = dicoms.stack(dicoms.head(12, 24, 24, seed=number), uid=f"{dicoms.SERIES}.{number}")
        dicoms.write(tmp_path / "dicom" / name, slices)
    root = tmp_path / "p"
    assert clisc("init", root, "--images", tmp_path / "dicom", "--weights", "tiny").code == 0
    with_masks(open_project(root))
    command = ("export", "nnunet", root, "-o", tmp_path / "out", "--masks", "sam")
    assert clisc(*command, "--id", 1).code == 0
    (tmp_path / "dicom" / "a" / "0012.dcm").unlink()
    ended = clisc(*command, "--id", 2)
    assert ended.code == 3 and "a has changed since it was imported" in ended.message
    assert not (tmp_path / "out" / "Dataset002_CLISC").exists()
    assert clisc(*command, "--id", 2, "--stored-images").code == 0


def test_an_nnunet_data_set_of_nifti_2_is_one_that_nnunet_reads(clisc, data, tmp_path):
    """nnU-Net reads with SimpleITK, which knows no NIfTI-2."""
    sources = shutil.copytree(data, tmp_path / "sources")
    file = sources / "images" / "p0_flair.nii.gz"
    image = nibabel.load(file)
    nibabel.save(nibabel.Nifti2Image(np.asarray(image.dataobj), image.affine), file)
    root = with_masks(small_project(tmp_path / "p", sources)).root
    assert clisc("export", "nnunet", root, "-o", tmp_path / "out", "--masks", "sam").code == 0
    for part, name in (("imagesTr", "p0_0000"), ("labelsTr", "p0")):
        written = tmp_path / "out" / "Dataset501_CLISC" / part / f"{name}.nii.gz"
        assert sitk.ReadImage(str(written)).GetSize() == image.shape
        np.testing.assert_allclose(nibabel.load(written).affine, image.affine, atol=1e-4)


def with_masks(project):
    """The project with the brighter half of each brain as its masks/sam."""
    for case in project.cases():
        case.write("masks/sam", (case.read("image") > 0).astype(np.uint8), Seal.now("test", "f", {}))
    return project
