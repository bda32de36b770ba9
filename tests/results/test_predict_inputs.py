"""Which volumes `predict` takes of the files and folders that it is given."""

import re

import pytest

from clisc_engine.errors import BadInput
from clisc_engine.results.predict_inputs import find_images


def folder_of(tmp_path, *names):
    folder = tmp_path / "scans"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("names", "same"),
    [
        (("sub-01/anat/flair.nii.gz", "sub-02/flair.nii.gz"), "flair"),
        (("c.nii", "C.nii.gz"), "c"),
        (("a_0000.nii.gz", "a_0000.nrrd"), "a"),
    ],
)
def test_two_of_one_name_are_refused_with_a_way_that_predict_has(tmp_path, names, same):
    folder = folder_of(tmp_path, *names)
    with pytest.raises(BadInput, match=f"same case name '{same}'.*separate calls") as error:
        find_images([folder])
    assert "init" not in str(error.value) and "CSV" not in str(error.value)
    for name in names:
        (case,) = find_images([folder / name])
        assert case.image == folder / name


def test_files_called_flair_alone_are_told_of_the_folder_above_them(tmp_path):
    folder = folder_of(tmp_path, "p1/flair.nii.gz", "p2/flair.nii.gz")
    with pytest.raises(BadInput, match=r"same case name 'flair'.*separate calls.*folder above them"):
        find_images(sorted(folder.glob("*/flair.nii.gz")))
    assert {case.name for case in find_images([folder])} == {"p1", "p2"}


def test_folders_side_by_side_name_what_is_called_flair_alone(tmp_path):
    folder = folder_of(tmp_path, "sub-01/flair.nii.gz", "sub-02/flair.nii.gz", "sub-02/t1.nii.gz")
    said = []
    found = find_images([folder], remarks=said)
    assert {case.name: case.image for case in found} == {
        name: folder / name / "flair.nii.gz" for name in ("sub-01", "sub-02")
    }
    assert "the name of its folder: sub-01, sub-02" in said[0]


def test_a_folder_of_masks_is_told_as_such_and_a_file_is_taken_by_its_name(tmp_path):
    folder = folder_of(tmp_path, "a_seg.nii.gz")
    with pytest.raises(BadInput, match=re.escape("name images one by one.")):
        find_images([folder])
    assert [case.name for case in find_images([folder / "a_seg.nii.gz"])] == ["a"]


def test_both_files_of_a_pair_are_one_image(tmp_path):
    folder = folder_of(tmp_path, "a.hdr", "a.img", "b.hdr")
    found = find_images(sorted(folder.glob("*")))
    assert [(case.name, case.image.name) for case in found] == [("a", "a.img"), ("b", "b.hdr")]
    (header,) = find_images([folder / "a.hdr"])
    assert header.image.name == "a.hdr"
