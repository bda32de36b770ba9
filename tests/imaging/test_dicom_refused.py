"""DICOM that is no volume, or not beyond doubt which: named and refused."""

import numpy as np
import pytest

from clisc_engine.errors import BadInput
from clisc_engine.imaging.header import read_header
from clisc_engine.imaging.volume import read_volume
from tests.support.dicoms import (
    AXIAL,
    CORONAL,
    GAP,
    SAGITTAL,
    alternating,
    group,
    head,
    leaning,
    multi_frame,
    place,
    plain,
    slice_of,
    slices,
    stack,
    write,
)

COUNT = len(head())


def cut(folder, number, keep):
    """Keep a part of a file: bytes, or a share of them."""
    file = folder / f"{number:04d}.dcm"
    whole = file.read_bytes()
    file.write_bytes(whole[: keep if isinstance(keep, int) else int(len(whole) * keep)])


def after_cut(keep, number=4):
    return lambda folder: cut(plain(folder), number, keep)


def shifted(numbers, by):
    """A series of which some slices lie elsewhere, in mm along (x, y, z)."""
    slices = stack(head())
    for number in numbers:
        position = np.array(slices[number].ImagePositionPatient, float) + by
        slices[number].ImagePositionPatient = [f"{v:.4f}" for v in position]
    return slices


def without(*numbers):
    return [one for k, one in enumerate(stack(head())) if k not in numbers]


def two(**differences):
    """Two images at the same places; each attribute with its value in the first and the second."""
    first = {keyword: values[0] for keyword, values in differences.items()}
    second = {keyword: values[1] for keyword, values in differences.items()}
    return stack(head(), **first) + stack(head(seed=1), start=101, **second)


def by_echo(folder):
    write(folder, two(EchoTime=("90", "180")))


def half_a_gap_higher(offset=GAP / 2):
    second = stack(head(seed=1), start=101)
    for one in second:
        one.ImagePositionPatient[2] = f"{one.ImagePositionPatient[2] + offset:.4f}"
    return stack(head()) + second


def end_to_end(gap):
    second = stack(head(seed=1), start=101, AcquisitionNumber=2)
    for one in second:
        one.ImagePositionPatient[2] = f"{one.ImagePositionPatient[2] + COUNT * GAP + gap:.4f}"
    return stack(head(), AcquisitionNumber=1) + second


def frames_of_two_echoes(folder):
    both = np.concatenate([head(), head(seed=1)])

    def echo(frame, index):
        frame.MREchoSequence = [group(EffectiveEchoTime=90.0 if index < COUNT else 180.0)]

    write(folder, [multi_frame(both, order=[*range(COUNT)] * 2, per_frame=echo)])


def frames_of_two_times(folder):
    both = np.concatenate([head(), head(seed=1)])

    def time(frame, index):
        frame.FrameContentSequence = [group(TemporalPositionIndex=1 + index // COUNT)]

    write(folder, [multi_frame(both, order=[*range(COUNT)] * 2, per_frame=time)])


def frames_with_a_hole(folder):
    write(folder, [multi_frame(head(), order=[0, 1, 2, 3, 4, 6, 7, 8])])


def frames_without_places(folder):
    dataset = multi_frame(head())
    del dataset.PerFrameFunctionalGroupsSequence
    write(folder, [dataset])


def of_frames_cut(folder):
    write(folder, [multi_frame(head())])
    cut(folder, 1, 0.8)


def mixed(**more):
    """A series of which two slices have another value."""
    slices = stack(head())
    for one in slices[:2]:
        for keyword, value in more.items():
            setattr(one, keyword, value)
    return slices


def other_matrix():
    slices = stack(head())
    slices[-1] = slice_of(head()[-1][:, :-2], place(COUNT - 1), COUNT)
    return slices


def colours(folder):
    rgb = np.repeat(head()[..., None], 3, -1).astype(np.uint8)
    slices = stack(head())
    for one, plane in zip(slices, rgb, strict=True):
        one.SamplesPerPixel, one.PhotometricInterpretation, one.PlanarConfiguration = 3, "RGB", 0
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 8, 8, 7, 0
        one.PixelData = plane.tobytes()
    write(folder, slices)


def two_stacks(folder):
    write(folder, stack(head()) + stack(head(), CORONAL, start=50))


def three_planes(folder):
    slices = [
        slice_of(head()[k], place(k, axes), 10 * n + k, axes)
        for n, axes in enumerate((AXIAL, SAGITTAL, CORONAL))
        for k in (2, 3, 4)
    ]
    write(folder, slices)


def same_instance_with_other_pixels(folder):
    slices = stack(head())
    again = slice_of(head(seed=1)[3], place(3), 4)
    write(folder, [*slices, again])


def series_of(*slices_of):
    return lambda folder: write(folder, [one for slices in slices_of for one in slices()])


REFUSED = {
    "a file cut in its pixels": (after_cut(0.7), ["0004.dcm", "is cut", "bytes of its pixels"]),
    "a file cut in its header": (after_cut(600), ["0004.dcm", "ends within its header"]),
    "a file cut before its pixels": (after_cut(-2 * 20 * 22 - 6), ["0004.dcm"]),
    "a file cut in its preamble": (after_cut(60), ["0004.dcm", "no DICOM file"]),
    "an empty file": (after_cut(0), ["0004.dcm", "it is empty"]),
    "the last file cut": (after_cut(0.7, COUNT), ["0008.dcm", "is cut"]),
    "one slice missing": (
        slices(without, 3),
        ["1 slice is missing", "between z = -9 mm (0003.dcm) and z = -3 mm (0004.dcm)", "3 mm apart"],
    ),
    "slices missing in two places": (
        slices(without, 2, 5, 6),
        ["3 slices are missing", "1 between z = -12 mm", "2 between z = -3 mm"],
    ),
    "a slice moved along": (
        slices(shifted, [3], (0, 0, 0.4)),
        ["unevenly spaced", "0004.dcm", "0.4 mm off"],
    ),
    "slices of alternating spacing": (
        slices(shifted, [1, 3, 5, 7], (0, 0, 0.1)),
        ["unevenly spaced, 2.9 to 3.1 mm", "0.03 mm count as rounding"],
    ),
    "a slice moved aside": (
        slices(shifted, [3], (0.5, 0, 0)),
        ["not stacked along their normal", "0004.dcm"],
    ),
    "a leaning stack": (slices(leaning, 0.3), ["not stacked along their normal", "5.7 degrees"]),
    "two images by echo time": (by_echo, ["two images", "echo time (90 in 8 slices, 180 in 8 slices)"]),
    "two images by echo number": (slices(two, EchoNumbers=(1, 2)), ["two images", "differ by echo number"]),
    "two images by acquisition": (slices(two, AcquisitionNumber=(1, 2)), ["differ by acquisition number"]),
    "two images by contrast": (
        slices(two, ContrastBolusAgent=("", "Gd")),
        ["contrast agent (none", "Gd in 8"],
    ),
    "two images by temporal position": (
        slices(two, TemporalPositionIdentifier=(1, 2)),
        ["differ by temporal position (1 in 8 slices, 2 in 8 slices)"],
    ),
    "magnitude and phase": (
        slices(two, ImageType=(["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"])),
        ["differ by image type", "PRIMARY\\P"],
    ),
    "two images by b-value": (slices(two, DiffusionBValue=(0.0, 1000.0)), ["differ by b-value"]),
    "two images by inversion time": (
        slices(two, InversionTime=("2500", "400")),
        ["differ by inversion time"],
    ),
    "the same places twice": (slices(two), ["two images under one series UID", "1 to 8 and 101 to 108"]),
    "two images, the second not whole": (
        lambda folder: write(folder, two(EchoTime=("90", "180"))[:-2]),
        ["two images", "6 of 8 places", "echo time"],
    ),
    "one place twice": (
        slices(lambda: [*stack(head()), slice_of(head(seed=1)[3], place(3), 50)]),
        ["1 of the 8 places", "0004.dcm and 0009.dcm"],
    ),
    "one identity with two contents": (same_instance_with_other_pixels, ["0004.dcm and 0009.dcm"]),
    "a stack half a gap higher": (
        slices(half_a_gap_higher),
        ["two images under one series UID", "3 mm thick but 1.5 mm apart"],
    ),
    "a stack a third of a gap higher": (
        slices(half_a_gap_higher, 1.0),
        ["unevenly spaced, 1 to 2 mm", "may be two images", "1, 101, 2, 102"],
    ),
    "slices of two echoes in turn": (
        slices(alternating, "EchoTime", ("90", "180")),
        ["two images", "echo time (90 in 4 slices, 180 in 4 slices)"],
    ),
    "two stacks with a hole between": (
        slices(end_to_end, 2 * GAP),
        ["2 slices are missing", "may be two images", "acquisition number"],
    ),
    "two stacks at some distance": (slices(end_to_end, 1.3), ["unevenly spaced", "acquisition number"]),
    "two large stacks": (two_stacks, ["2 orientations", "8, 8 slices"]),
    "a localizer of three planes": (three_planes, ["3 orientations", "localizers"]),
    "a localizer": (
        slices(stack, head(), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        ["is a localizer"],
    ),
    "a slice of another matrix": (slices(other_matrix), ["7 of 22 x 20 pixels", "1 of 20 x 20 pixels"]),
    "a slice of other pixels": (
        slices(mixed, PixelSpacing=["0.8", "0.5"]),
        ["different matrices or pixel spacings", "0.5 x 0.8 mm"],
    ),
    "a mosaic": (
        slices(stack, head(), ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"]),
        ["mosaic", "dcm2niix"],
    ),
    "no position": (
        slices(stack, head(), ImagePositionPatient=None),
        ["no position (ImagePositionPatient)"],
    ),
    "the same position everywhere": (
        slices(stack, head(), ImagePositionPatient=["0", "0", "0"]),
        ["all 8 slices", "one position"],
    ),
    "an empty position": (slices(mixed, ImagePositionPatient=[]), ["0001.dcm has no position"]),
    "no orientation": (slices(stack, head(), ImageOrientationPatient=None), ["no orientation"]),
    "no pixel spacing": (slices(stack, head(), PixelSpacing=None), ["no pixel spacing (PixelSpacing)"]),
    "a pixel spacing of zero": (slices(stack, head(), PixelSpacing=["0", "0"]), ["spacing"]),
    "axes that are no unit vectors": (
        slices(stack, head(), ImageOrientationPatient=["2", "0", "0", "0", "1", "0"]),
        ["orientation 2\\0\\0\\0\\1\\0"],
    ),
    "axes that are not at a right angle": (
        slices(stack, head(), ImageOrientationPatient=["1", "0", "0", "0.6", "0.8", "0"]),
        ["right angle"],
    ),
    "axes of zero": (slices(stack, head(), ImageOrientationPatient=["0"] * 6), ["no two unit vectors"]),
    "two frames of reference": (slices(mixed, FrameOfReferenceUID="9.9"), ["2 frames of reference", "9.9"]),
    "two patients": (slices(mixed, PatientID="q"), ["2 patients", "p, q|q, p"]),
    "two studies": (slices(mixed, StudyInstanceUID="9.9"), ["2 studies"]),
    "a CT": (slices(stack, head(), Modality="CT"), ["modality CT, not MR"]),
    "colours": (colours, ["has colours"]),
    "one slice": (slices(lambda: stack(head())[:1]), ["one slice, not a volume"]),
    "frames of two echoes": (frames_of_two_echoes, ["two images", "echo time (90 in 8 slices, 180 in 8"]),
    "frames of two times": (frames_of_two_times, ["two images", "temporal position (1 in 8 slices"]),
    "frames with a hole": (frames_with_a_hole, ["1 slice is missing", "frame 5 of 0001.dcm"]),
    "frames without places": (frames_without_places, ["has no position"]),
    "a multi-frame file cut": (of_frames_cut, ["0001.dcm", "is cut"]),
    "text in place of a slice": (
        lambda folder: (plain(folder) / "0004.dcm").write_text("no image", encoding="utf-8"),
        ["0004.dcm", "no DICOM file"],
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_in_doubt_is_named_and_refused(tmp_path, kind):
    make, said = REFUSED[kind]
    make(tmp_path / "case")
    for read in (read_volume, read_header):
        with pytest.raises(BadInput) as error:
            read(tmp_path / "case")
        message = str(error.value)
        assert str(tmp_path / "case") in message and error.value.exit_code == 3
        assert all(any(one in message for one in part.split("|")) for part in said), message
