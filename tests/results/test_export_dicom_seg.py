"""A DICOM Segmentation lies where its source's slices lie, refers to them, and others can read it."""

import copy
import json
import shutil
import subprocess
import warnings

import highdicom
import numpy as np
import pydicom
import pytest

from clisc_engine.errors import BadInput
from clisc_engine.project.store import Seal
from clisc_engine.results.export_dicom_seg import export_dicom_seg
from clisc_engine.running.control import Control
from clisc_engine.settings.presets import preset
from clisc_engine.stages.init import Request, initialise
from tests.support.command import caller
from tests.support.dicoms import (
    AXIAL,
    CORONAL,
    GAP,
    PIXEL,
    group,
    head,
    multi_frame,
    place,
    stack,
    text,
    turned,
    write,
)
from tests.support.volumes import ball
from tests.support.volumes import write as write_nifti

CPU = Control(device="cpu")
WAYS = {"axial": AXIAL, "oblique": turned(17), "coronal": CORONAL, "doubly oblique": turned(40, CORONAL)}
OF_PATIENT = {
    "PatientName": "A^B",
    "PatientBirthDate": "19700101",
    "PatientSex": "F",
    "StudyDate": "20200101",
    "StudyTime": "120000",
    "StudyID": "1",
    "AccessionNumber": "7",
    "ReferringPhysicianName": "",
    "SeriesNumber": 4,
    "Manufacturer": "maker",
}


def brain(seed=0):
    """Small whole numbers, with none near 250; what lies above is to be marked."""
    array = head(10, 26, 24, seed)
    array[(array > 230) & (array < 270)] = 300
    return array


def imported(tmp_path, **patients):
    """A project of DICOM patients, whose ``masks/sam`` are what is brighter than 250 in their files."""
    for name, datasets in patients.items():
        write(tmp_path / "in" / name, datasets)
    request = Request(tmp_path / "p", str(tmp_path / "in"), None, None, "1:0:0", False)
    project = initialise(request, preset("tiny"), CPU).project
    for case in project.cases():
        image = case.read("image").astype(float)
        values = np.sort(np.unique(image[image != 0]))
        middle = values[np.diff(values).argmax()] + 1e-6  # the gap around 250
        case.write("masks/sam", (image > middle).astype(np.uint8), Seal.now("test", "abc", {}))
    return project


def marked(path, axes, count):
    """(slice, row, column) of all that a segmentation marks, told from its frames' own positions."""
    found = pydicom.dcmread(path)
    shared = found.SharedFunctionalGroupsSequence[0]
    written = [float(v) for v in shared.PlaneOrientationSequence[0].ImageOrientationPatient]
    np.testing.assert_allclose(written, axes, atol=1e-6)
    np.testing.assert_allclose(
        [float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing], PIXEL, atol=1e-9
    )
    volume = np.zeros((count, found.Rows, found.Columns), np.uint8)
    planes = found.pixel_array.reshape(-1, found.Rows, found.Columns)
    for frame, plane in zip(found.PerFrameFunctionalGroupsSequence, planes, strict=True):
        where = np.array([float(v) for v in frame.PlanePositionSequence[0].ImagePositionPatient])
        distances = [float(np.linalg.norm(where - place(k, axes))) for k in range(count)]
        assert min(distances) < 1e-3 < GAP
        volume[int(np.argmin(distances))] = plane
    return volume


@pytest.mark.parametrize("axes", WAYS.values(), ids=WAYS)
def test_no_voxel_is_displaced_between_dicom_and_its_segmentation(tmp_path, axes):
    array = brain()
    slices = stack(array, axes, **OF_PATIENT)
    project = imported(tmp_path, p=[slices[k] for k in np.random.default_rng(1).permutation(len(slices))])
    report, others = export_dicom_seg(project, "sam", tmp_path / "out", CPU)
    assert (report.done, others) == (["p"], [])
    file = tmp_path / "out" / "p_seg.dcm"
    expected = (array > 250).astype(np.uint8)
    assert (marked(file, axes, len(array)) != expected).sum() == 0 < expected.sum()
    seg = highdicom.seg.segread(file)
    uids = [one.SOPInstanceUID for one in slices]
    read = seg.get_pixels_by_source_instance(uids, segment_numbers=[1], ignore_spatial_locations=False)
    np.testing.assert_array_equal(read[..., 0], expected)
    assert {uid for _, _, uid in seg.get_source_image_uids()} == set(uids)


def test_a_multi_frame_file_in_another_order(tmp_path):
    array, order = brain(), [3, 1, 0, 2, 9, 8, 7, 4, 5, 6]
    one = multi_frame(array[order], turned(17), order=order, **OF_PATIENT)
    project = imported(tmp_path, p=[one])
    export_dicom_seg(project, "sam", tmp_path / "out", CPU)
    found = marked(tmp_path / "out" / "p_seg.dcm", turned(17), len(array))
    np.testing.assert_array_equal(found, array > 250)


def test_a_segmentation_says_what_it_is_and_is_the_same_again(tmp_path):
    project = imported(tmp_path, p=stack(brain(), **OF_PATIENT))
    for folder in ("a", "b"):
        export_dicom_seg(project, "sam", tmp_path / folder, CPU)
    one, other = (tmp_path / folder / "p_seg.dcm" for folder in ("a", "b"))
    assert one.read_bytes() == other.read_bytes()
    found = pydicom.dcmread(one)
    assert (found.Modality, found.PatientName, found.StudyInstanceUID) == ("SEG", "A^B", "1.2.3")
    assert found.FrameOfReferenceUID == "1.2.3.4" and found.SeriesInstanceUID != "1.2.826.0.1.3680043.10.1"
    (segment,) = found.SegmentSequence
    assert segment.AnatomicRegionSequence[0].CodeMeaning == "Brain"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "108369006"
    assert segment.SegmentAlgorithmType == "AUTOMATIC"
    assert segment.SegmentationAlgorithmIdentificationSequence[0].AlgorithmName == "CLISC"


def test_dciodvfy_finds_no_error(tmp_path):
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy of dicom3tools is not installed")
    project = imported(tmp_path, p=stack(brain(), turned(17), **OF_PATIENT))
    export_dicom_seg(project, "sam", tmp_path / "out", CPU)
    shown = subprocess.run(
        [program, str(tmp_path / "out" / "p_seg.dcm")], capture_output=True, text=True, check=False
    )
    said = (shown.stdout + shown.stderr).splitlines()
    assert [line for line in said if line.startswith("Error")] == [] and "Segmentation" in said[0]


def test_a_patients_plain_name_is_passed_on_and_never_told(tmp_path):
    """highdicom warns of a name of one part, and quotes it."""
    project = imported(tmp_path, p=stack(brain(), **{**OF_PATIENT, "PatientName": "Doe"}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export_dicom_seg(project, "sam", tmp_path / "out", CPU)
    assert pydicom.dcmread(tmp_path / "out" / "p_seg.dcm").PatientName == "Doe"


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
        (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        ("ISO_IR 100", "Müller^Jürgen"),
        ("ISO_IR 192", "山田^太郎"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        ("ISO_IR 6", "Doe^John"),
    ],
)
def test_names_of_any_alphabet_are_passed_on(tmp_path, charset, name):
    """Japanese and Korean headers begin their list of character sets with an empty one."""
    slices = stack(brain(), SpecificCharacterSet=charset, **{**OF_PATIENT, "PatientName": name})
    project = imported(tmp_path, p=slices)
    report, _ = export_dicom_seg(project, "sam", tmp_path / "out", CPU)
    assert report.done == ["p"]
    found, source = (pydicom.dcmread(tmp_path / file) for file in ("out/p_seg.dcm", "in/p/0003.dcm"))
    assert str(found.PatientName) == name and found.SpecificCharacterSet == source.SpecificCharacterSet


@pytest.mark.parametrize(
    "written",
    [
        {"PatientSex": "W"},
        {"PatientBirthDate": "1970"},
        {"StudyDate": "20200100"},
        {"StudyTime": "24:00:00"},
    ],
    ids=lambda written: next(iter(written)),
)
def test_a_patient_s_values_are_passed_on_as_they_are(tmp_path, written):
    with pydicom.config.disable_value_validation():
        slices = stack(brain(), **{**OF_PATIENT, **written})
        project = imported(tmp_path, p=slices)
    export_dicom_seg(project, "sam", tmp_path / "out", CPU)
    with pydicom.config.disable_value_validation():
        found = pydicom.dcmread(tmp_path / "out" / "p_seg.dcm")
    assert {key: str(found[key].value) for key in written} == written
    assert (found.PatientName, found.StudyID) == ("A^B", "1")


def test_an_empty_mask_is_a_segmentation_too(tmp_path):
    array = brain()
    project = imported(tmp_path, p=stack(array, **OF_PATIENT))
    case = project.case("p")
    case.write("masks/sam", np.zeros_like(case.read("image"), np.uint8), Seal.now("test", "f", {}))
    export_dicom_seg(project, "sam", tmp_path / "out", CPU)
    assert not marked(tmp_path / "out" / "p_seg.dcm", AXIAL, len(array)).any()


@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_sources_that_are_gone_or_changed_are_refused(tmp_path, harm):
    project = imported(
        tmp_path, p=stack(brain(), **OF_PATIENT), q=stack(brain(1), uid="1.2.9", **OF_PATIENT)
    )
    if harm == "gone":
        shutil.rmtree(tmp_path / "in" / "p")
    else:
        (tmp_path / "in" / "p" / "0003.dcm").unlink()
    with pytest.raises(BadInput, match=r"p: its source .*--cases"):
        export_dicom_seg(project, "sam", tmp_path / "out", CPU)
    assert not (tmp_path / "out").exists()
    report, _ = export_dicom_seg(project, "sam", tmp_path / "out", Control(device="cpu", cases=("q",)))
    assert report.done == ["q"]


def test_cases_of_other_formats_are_sent_to_nifti(tmp_path):
    for seed in range(2):
        write_nifti(tmp_path / "in" / f"n{seed}_flair.nii.gz", ball(seed=seed))
    request = Request(tmp_path / "p", str(tmp_path / "in"), None, None, "1:0:0", False)
    project = initialise(request, preset("tiny"), CPU).project
    for case in project.cases():
        case.write("masks/sam", np.zeros_like(case.read("image"), np.uint8), Seal.now("test", "f", {}))
    with pytest.raises(BadInput, match=r"came from DICOM \(n0, n1\).*clisc export masks"):
        export_dicom_seg(project, "sam", tmp_path / "out", CPU)


def test_slices_without_what_a_segmentation_refers_to_are_named(tmp_path):
    project = imported(tmp_path, p=stack(brain(), FrameOfReferenceUID=None, **OF_PATIENT))
    with pytest.raises(BadInput, match=r"has no FrameOfReferenceUID.*clisc export masks"):
        export_dicom_seg(project, "sam", tmp_path / "out", CPU)
    assert not list(tmp_path.glob("out/*.dcm"))


def frame_by_frame(array, axes, order=None, localizers=()):
    """A multi-frame file that says orientation and pixel spacing for every frame, and of some another."""

    def says(frame, index):
        own = CORONAL if index in localizers else axes
        frame.PlaneOrientationSequence = [group(ImageOrientationPatient=[text(v) for v in own])]
        frame.PixelMeasuresSequence = [
            group(PixelSpacing=[text(v) for v in PIXEL], SliceThickness=text(GAP))
        ]

    one = multi_frame(array, axes, order=order, per_frame=says, **OF_PATIENT)
    shared = one.SharedFunctionalGroupsSequence[0]
    del shared.PlaneOrientationSequence, shared.PixelMeasuresSequence
    return one


def referred_to(path, axes, count):
    """For each place of a marked plane, the number of the source's frame that its frame refers to."""
    found = {}
    for groups in pydicom.dcmread(path).PerFrameFunctionalGroupsSequence:
        where = np.array([float(v) for v in groups.PlanePositionSequence[0].ImagePositionPatient])
        at = int(np.argmin([np.linalg.norm(where - place(k, axes)) for k in range(count)]))
        (source,) = groups.DerivationImageSequence[0].SourceImageSequence
        found[at] = int(source.ReferencedFrameNumber)
    return found


def test_a_multi_frame_file_that_says_all_frame_by_frame(tmp_path):
    array, order = brain(), [3, 1, 0, 2, 9, 8, 7, 4, 5, 6]
    project = imported(tmp_path, p=[frame_by_frame(array[order], turned(17), order)])
    export_dicom_seg(project, "sam", tmp_path / "out", CPU)
    file = tmp_path / "out" / "p_seg.dcm"
    np.testing.assert_array_equal(marked(file, turned(17), len(array)), array > 250)
    assert all(order[number - 1] == k for k, number in referred_to(file, turned(17), 10).items())


def test_the_frames_of_a_file_that_make_the_volume_are_referred_to(tmp_path):
    """The first and the fourth are localizers."""
    array, order = brain(), [0, 3, 1, 0, 0, 2, 9, 8, 7, 4, 5, 6]
    project = imported(tmp_path, p=[frame_by_frame(array[order], AXIAL, order, localizers=(0, 3))])
    export_dicom_seg(project, "sam", tmp_path / "out", CPU)
    file = tmp_path / "out" / "p_seg.dcm"
    np.testing.assert_array_equal(marked(file, AXIAL, len(array)), array > 250)
    referred = referred_to(file, AXIAL, 10)
    assert len(referred) > 4 and not {1, 4} & set(referred.values())
    assert all(order[number - 1] == k for k, number in referred.items())


@pytest.mark.parametrize("kind", ["orientations that differ by rounding", "no thickness"])
def test_slices_as_archives_have_them(tmp_path, kind):
    array, axes = brain(), turned(17)
    slices = stack(array, axes, **OF_PATIENT)
    for k, one in enumerate(slices):
        if kind == "no thickness":
            del one.SliceThickness
        else:
            one.ImageOrientationPatient = [text(v + 1e-7 * (k % 3)) for v in axes]
    export_dicom_seg(imported(tmp_path, p=slices), "sam", tmp_path / "out", CPU)
    np.testing.assert_array_equal(marked(tmp_path / "out" / "p_seg.dcm", axes, 10), array > 250)


def test_headers_that_no_segmentation_can_refer_to_are_told(tmp_path):
    """A private kind of image."""
    private = stack(brain(1), uid="1.2.9", SOPClassUID="1.3.46.670589.11.0.0.12.1", **OF_PATIENT)
    project = imported(tmp_path, q=private)
    with pytest.raises(BadInput, match=r"in/q: no DICOM Segmentation can refer.*clisc export masks"):
        export_dicom_seg(project, "sam", tmp_path / "out", CPU)
    assert not list(tmp_path.glob("out/*.dcm"))


def test_a_case_that_no_segmentation_can_refer_to_leaves_the_others(tmp_path, monkeypatch, capsys):
    nowhere = stack(brain(), FrameOfReferenceUID=None, **OF_PATIENT)
    project = imported(
        tmp_path, p=nowhere, q=stack(brain(1), uid="1.2.9", **OF_PATIENT), r=[*map(copy.deepcopy, nowhere)]
    )
    clisc = caller(monkeypatch, capsys)
    wanted = ["export", "dicom-seg", project.root, "--masks", "sam", "-o", tmp_path / "out"]
    ended = clisc(*wanted, "--json")
    assert ended.code == 5 and "p: " in ended.message and "has no FrameOfReferenceUID" in ended.message
    told = json.loads(ended.out)
    assert told["done"] == ["q"] and told["failed"].keys() == {"p", "r"}
    assert [path.name for path in (tmp_path / "out").glob("*.dcm")] == ["q_seg.dcm"]
    shutil.rmtree(tmp_path / "out")
    ended = clisc(*wanted, "--cases", "p,r")
    assert ended.code == 3 and "None of 2 cases can be written: p: " in ended.message
    assert not (tmp_path / "out").exists()


def test_slices_under_one_uid_are_refused(tmp_path):
    """As some programs leave them that make data anonymous: every reference would be to one slice."""
    project = imported(tmp_path, p=stack(brain(), SOPInstanceUID="1.2.3.9", **OF_PATIENT))
    with pytest.raises(BadInput, match=r"in/p: several slices have one SOPInstanceUID.*clisc export masks"):
        export_dicom_seg(project, "sam", tmp_path / "out", CPU)
