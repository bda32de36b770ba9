"""DICOM that is beyond doubt: read with a line on what was left out, or without a word."""

import shutil

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    BasicTextSRStorage,
    EncapsulatedPDFStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from clisc_engine.errors import BadInput
from clisc_engine.imaging.dicom import flair_folder
from clisc_engine.imaging.header import read_header
from clisc_engine.imaging.volume import read_volume
from clisc_engine.importing.discover import find_cases
from tests.support.dicoms import (
    CORONAL,
    GAP,
    alternating,
    head,
    leaning,
    multi_frame,
    place,
    plain,
    slice_of,
    slices,
    stack,
    turned,
    write,
)

COUNT = len(head())


def localizers(count=3):
    """A whole series with some slices of another orientation under its UID."""
    turned_slices = [slice_of(head()[k], place(10 * k, CORONAL), 900 + k, CORONAL) for k in range(count)]
    return [*stack(head(12)), *turned_slices]


def object_of(kind, **more):
    return slice_of(head()[0], (0, 0, 0), 77, SOPClassUID=kind, SOPInstanceUID="1.2.77", **more)


def beside(*objects):
    return lambda folder: write(plain(folder), objects, "x{:03d}.dcm")


def screenshot():
    one = object_of(SecondaryCaptureImageStorage, ImagePositionPatient=None, SeriesInstanceUID="5.5")
    one.SamplesPerPixel, one.PhotometricInterpretation, one.PlanarConfiguration = 3, "RGB", 0
    one.PixelData, one.BitsAllocated, one.BitsStored, one.HighBit = bytes(20 * 22 * 3), 8, 8, 7
    return one


def with_copy(folder):
    plain(folder)
    shutil.copy(folder / "0003.dcm", folder / "0003 (1).dcm")


def sent_again(folder):
    plain(folder)
    again = pydicom.dcmread(folder / "0003.dcm")
    again.SOPInstanceUID = again.file_meta.MediaStorageSOPInstanceUID = "1.2.99"
    again.save_as(folder / "0050.dcm")


def with_damage_of_another_series(folder):
    plain(folder)
    write(folder, stack(head(), uid="7.7", SeriesDescription="T1"), "t{:03d}.dcm")
    file = folder / "t003.dcm"
    file.write_bytes(file.read_bytes()[:-100])


READ = {
    "a localizer of another orientation": (
        slices(localizers),
        12,
        ["left out 3 slices", "of another orientation"],
    ),
    "marked localizers": (
        slices(lambda: [*stack(head()), *stack(head()[:2], ImageType=["O", "P", "LOCALIZER"], start=70)]),
        COUNT,
        ["left out 2 slices", "localizers"],
    ),
    "a copy of a slice": (with_copy, COUNT, ["1 slice is there twice", "0003.dcm"]),
    "a slice sent again": (sent_again, COUNT, ["1 slice is there twice", "0050.dcm as 0003.dcm"]),
    "a presentation state": (
        beside(object_of(GrayscaleSoftcopyPresentationStateStorage)),
        COUNT,
        ["left out 1 DICOM file without images", "Presentation State", "x001.dcm"],
    ),
    "a segmentation, a report and a document": (
        beside(*map(object_of, (SegmentationStorage, BasicTextSRStorage, EncapsulatedPDFStorage))),
        COUNT,
        ["left out 3 DICOM files", "Segmentation", "Basic Text SR", "Encapsulated PDF"],
    ),
    "a screenshot": (beside(screenshot()), COUNT, ["left out the localizers or pictures"]),
    "a damaged slice of another series": (
        with_damage_of_another_series,
        COUNT,
        ["t003.dcm, of another series, is damaged"],
    ),
    "fewer slices than the header counts": (
        slices(stack, head(), ImagesInAcquisition=10),
        COUNT,
        ["counts 10 images", "8 slices are there"],
    ),
}


@pytest.mark.parametrize("kind", READ)
def test_what_is_beyond_doubt_is_read_with_a_line(tmp_path, kind):
    make, count, said = READ[kind]
    make(tmp_path / "case")
    volume = read_volume(tmp_path / "case")
    assert volume.geometry.size[2] == count and volume.geometry.spacing == pytest.approx((0.5, 0.75, GAP))
    np.testing.assert_array_equal(volume.array, head(count))
    note = "; ".join(volume.notes)
    assert all(part in note for part in [str(tmp_path / "case"), *said]), note
    assert read_header(tmp_path / "case").size == volume.geometry.size


def interleaved(folder):
    """Two passes: every other slice is of the second acquisition, and numbered in its order."""
    numbered = stack(head())
    for k, one in enumerate(numbered):
        one.AcquisitionNumber, one.InstanceNumber = 1 + k % 2, 1 + k // 2 + (k % 2) * COUNT // 2
    write(folder, numbered)


QUIET = {
    "an index, texts and hidden files": lambda folder: [
        plain(folder),
        (folder / "DICOMDIR").write_bytes((folder / "0001.dcm").read_bytes()),
        (folder / "._0001.dcm").write_bytes(b"\0\5\x16\7"),
        (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0"),
        (folder / "notes.txt").write_text("FLAIR", encoding="utf-8"),
    ],
    "a README beside files without ending": lambda folder: [
        write(folder, stack(head()), "IM{:04d}"),
        (folder / "README").write_text("from the scanner", encoding="utf-8"),
    ],
    "names that are UIDs": lambda folder: write(folder, stack(head()), "1.2.840.{}"),
    "no frame of reference and no numbers": slices(
        stack, head(), FrameOfReferenceUID=None, InstanceNumber=None, SliceThickness=None
    ),
    "two passes in turn": interleaved,
    "reversed numbers": slices(lambda: [*reversed(stack(head()))]),
    "overlapping slices in order": slices(stack, head(), SliceThickness="6"),
    "changing times": slices(alternating, "AcquisitionTime", ("101010", "101012", "101014")),
}


@pytest.mark.parametrize("kind", QUIET)
def test_what_is_well_is_read_without_a_word(tmp_path, kind):
    QUIET[kind](tmp_path / "case")
    volume = read_volume(tmp_path / "case")
    assert volume.notes == () and volume.geometry.spacing == pytest.approx((0.5, 0.75, GAP))
    np.testing.assert_array_equal(volume.array, head())


@pytest.mark.parametrize("name", ["IM0009", "MR.1.2.840.9"])
def test_an_empty_file_named_as_the_slices_is_one(tmp_path, name):
    folder = write(tmp_path / "case", stack(head()), name.replace("9", "{}"))
    (folder / name).write_bytes(b"")
    with pytest.raises(BadInput, match=f"{name}: it is empty"):
        read_volume(folder)


def test_the_shape_of_a_lean_that_is_rounding_is_read(tmp_path):
    volume = read_volume(write(tmp_path / "case", leaning(0.0029)))
    assert volume.geometry.spacing[2] == pytest.approx(GAP, abs=1e-4)
    with pytest.raises(BadInput, match="not stacked along their normal"):
        read_volume(write(tmp_path / "other", leaning(0.02)))


def test_the_flair_series_of_several_is_taken_by_its_description(tmp_path):
    folder = write(tmp_path / "case", stack(head()))
    write(folder, stack(head(seed=1), turned(10), uid="7.7", SeriesDescription="AX T1"), "t{:03d}.dcm")
    np.testing.assert_array_equal(read_volume(folder).array, head())


def test_a_disc_s_index_is_no_series(tmp_path):
    plain(tmp_path / "disc" / "p1" / "s1")
    (tmp_path / "disc" / "DICOMDIR").write_bytes((tmp_path / "disc/p1/s1/0001.dcm").read_bytes())
    (case,) = find_cases(str(tmp_path / "disc"), None)
    assert case.name == "p1" and case.image == tmp_path / "disc" / "p1" / "s1"


def test_a_folder_without_images_does_not_count_beside_the_series(tmp_path):
    plain(tmp_path / "p" / "1")
    write(tmp_path / "p" / "2", [object_of(BasicTextSRStorage)])
    assert flair_folder(tmp_path / "p") == tmp_path / "p" / "1"


def test_multi_frame_files_of_several_studies_are_a_case_each(tmp_path):
    names = {"anna.dcm": "1.1", "bert.dcm": "1.2"}
    for seed, (name, uid) in enumerate(names.items()):
        one = multi_frame(head(seed=seed), uid=uid, StudyInstanceUID=f"{uid}.9")
        write(tmp_path, [one], name)
    for images in (str(tmp_path), f"{tmp_path}/*.dcm"):
        cases = find_cases(images, None)
        assert [case.name for case in cases] == ["anna", "bert"]
        for seed, case in enumerate(cases):
            np.testing.assert_array_equal(read_volume(case.image).array, head(seed=seed))


@pytest.mark.parametrize("t1", ["Ax T1 FLAIR", "T1_FLAIR post", "SAG T1FLAIR", "T1w-FLAIR"])
def test_t1_flair_is_another_contrast(tmp_path, t1):
    """Beside T2 FLAIR it is left out, beside others it is not taken for FLAIR; in folders, too."""
    folder = write(tmp_path / "a", stack(head(), SeriesDescription="Ax T2 FLAIR"))
    write(folder, stack(head(seed=1), uid="7.7", SeriesDescription=t1), "t{:03d}.dcm")
    volume = read_volume(folder)
    np.testing.assert_array_equal(volume.array, head())
    assert f"left out {t1}" in " ".join(volume.notes)
    other = write(tmp_path / "b", stack(head(), SeriesDescription="Ax T2"))
    write(other, stack(head(seed=1), uid="7.7", SeriesDescription=t1), "t{:03d}.dcm")
    with pytest.raises(BadInput, match="none says"):
        read_volume(other)
    write(tmp_path / "c" / "one", stack(head(), SeriesDescription="Ax T2 FLAIR"))
    write(tmp_path / "c" / t1, stack(head(seed=1), uid="7.7", SeriesDescription=t1))
    assert flair_folder(tmp_path / "c") == tmp_path / "c" / "one"


@pytest.mark.parametrize(
    "title", ["", "t2_tirm_tra_dark-fluid", "t2_tirm_tra", "T2 FLAIR", "PAT1", "Series 5"]
)
def test_other_names_of_flair_and_of_nothing_are_told_nothing_of(tmp_path, title):
    assert read_volume(write(tmp_path / "p", stack(head(), SeriesDescription=title))).notes == ()


def test_of_several_patients_none_is_chosen(tmp_path):
    """A hospital's folder, or one that patients were copied into: all but one would be lost."""
    other = stack(head(seed=1), uid="7.7", PatientID="q", SeriesDescription="T2 TSE")
    write(tmp_path / "a" / "001", stack(head()))
    write(tmp_path / "a" / "002", other)
    with pytest.raises(BadInput, match=r"2 patients \(p, q\).*a CSV"):
        flair_folder(tmp_path / "a")
    write(write(tmp_path / "b", stack(head())), other, "t{:03d}.dcm")
    with pytest.raises(BadInput, match=r"2 patients \(p, q\).*a folder of its own"):
        read_volume(tmp_path / "b")


@pytest.mark.parametrize(
    ("names", "glob"), [(("3-FLAIR", "4-FLAIR"), True), (("3-AX FLAIR", "4-AX FLAIR"), False)]
)
def test_a_glob_is_advised_only_where_folders_can_name_cases(tmp_path, names, glob):
    """The archive's folders have the series' description in their names, with its spaces."""
    for number, name in enumerate(names):
        write(tmp_path / "p" / name, stack(head(seed=number), uid=f"1.2.{number}"))
    with pytest.raises(BadInput, match=r"more than one says.*a CSV with the columns case,image") as refused:
        flair_folder(tmp_path / "p")
    assert ("a glob" in str(refused.value)) == glob
