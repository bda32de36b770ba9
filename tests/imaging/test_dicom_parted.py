"""A DICOM series whose slices lie in several folders is never taken for the part in one of them."""

import shutil

import numpy as np
import pytest

from clisc_engine.errors import BadInput
from clisc_engine.imaging.dicom import flair_folder
from clisc_engine.imaging.volume import read_volume
from clisc_engine.importing.discover import find_cases
from tests.support.dicoms import head, stack, write

SLICES = stack(head())
PARTS = {
    "one behind the other": (SLICES[:4], SLICES[4:]),
    "in turn": (SLICES[::2], SLICES[1::2]),
}


def folders_below(patient, parts, names=("A", "B")):
    for name, part in zip(names, parts, strict=True):
        write(patient / name, part)
    return patient


def is_refused_whole(error, *folders):
    text = str(error.value)
    assert all(f"4 in {folder}" in text for folder in folders) and "one new folder" in text
    assert "glob" not in text and "CSV" not in text, "either would take a part for the whole"


@pytest.mark.parametrize("kind", PARTS)
def test_a_series_in_two_folders_of_a_patient_is_to_be_put_together(tmp_path, kind):
    patient = folders_below(tmp_path / "all" / "p", PARTS[kind])
    write(patient / "T1", stack(head(seed=1), uid="7.7", SeriesDescription="AX T1"))
    with pytest.raises(BadInput) as refused:
        flair_folder(patient)
    is_refused_whole(refused, patient / "A", patient / "B")


def test_the_remedy_gives_the_whole_image(tmp_path):
    patient = folders_below(tmp_path / "all" / "p", PARTS["in turn"])
    whole = tmp_path / "whole"
    for name in "AB":
        for file in (patient / name).iterdir():
            whole.mkdir(exist_ok=True)
            shutil.copy(file, whole / f"{name}{file.name}")
    np.testing.assert_array_equal(read_volume(whole).array, head())


def test_a_part_that_is_in_a_folder_called_flair_is_no_image(tmp_path):
    """The description says nothing, and the folder's name would have decided."""
    parts = [stack(head(), SeriesDescription="")[:4], stack(head(), SeriesDescription="")[4:]]
    patient = folders_below(tmp_path / "p", parts, ("FLAIR", "more"))
    with pytest.raises(BadInput) as refused:
        flair_folder(patient)
    is_refused_whole(refused, patient / "FLAIR", patient / "more")


@pytest.mark.parametrize("given", ["folder", "glob", "csv", "below"])
def test_parts_that_would_be_cases_of_their_own_are_refused(tmp_path, given):
    folder = folders_below(tmp_path / "all", PARTS["one behind the other"])
    parts = (folder / "A", folder / "B")
    if given == "below":
        (folder / "A" / "more").parent.mkdir(exist_ok=True)
        shutil.move(folder / "B", folder / "A" / "more")
        parts = (folder / "A", folder / "A" / "more")
    (tmp_path / "t.csv").write_text("case,image\na,all/A\nb,all/B\n", encoding="utf-8")
    images = {"folder": folder, "glob": folder / "*", "csv": tmp_path / "t.csv", "below": parts[0]}
    with pytest.raises(BadInput) as refused:
        find_cases(str(images[given]), None)
    is_refused_whole(refused, *parts)


@pytest.mark.parametrize(
    "second",
    [
        stack(head()),  # a copy
        stack(head(seed=1), PatientID="q"),  # another patient under the same UID
        stack(head(seed=1), gap=2.9),  # another image under the same UID: no even stack together
    ],
)
def test_whole_images_under_one_uid_stay_cases(tmp_path, second):
    folders_below(tmp_path / "all", (SLICES, second))
    assert [case.name for case in find_cases(str(tmp_path / "all"), None)] == ["A", "B"]


def test_a_series_of_another_contrast_may_lie_in_parts(tmp_path):
    t1 = stack(head(seed=1), uid="7.7", SeriesDescription="AX T1")
    patient = folders_below(tmp_path / "p", (t1[:4], t1[4:]))
    write(patient / "C", SLICES)
    assert flair_folder(patient) == patient / "C"
