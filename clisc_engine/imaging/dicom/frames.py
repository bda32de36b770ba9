"""One slice of a DICOM file: where it lies, and what tells it from the slices of another image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

Numbers: TypeAlias = tuple[float, ...]
Header: TypeAlias = dict[str, Any]
"""A file's values by DICOM's keyword."""
Memo: TypeAlias = dict[tuple[BaseTag, bytes], Any]
"""Values met in other files by their tag and bytes: most are the same in all slices of a series."""

SINGULAR = {
    "SeriesNumber": "series number",
    "SeriesDescription": "series description",
    "ProtocolName": "protocol",
    "EchoTime": "echo time",
    "EchoNumbers": "echo number",
    "ContrastBolusAgent": "contrast agent",
    "TemporalPositionIdentifier": "temporal position",
    "ImageType": "image type",
    "ComplexImageComponent": "image type",
    "DiffusionBValue": "b-value",
}
"""What all slices of one image have in common, by DICOM's keyword."""

PASSING = {
    "AcquisitionNumber": "acquisition number",
    "InversionTime": "inversion time",
    "RepetitionTime": "repetition time",
    "FlipAngle": "flip angle",
    "SequenceName": "sequence",
    "ReceiveCoilName": "coil",
    "AcquisitionTime": "acquisition time",
    "TriggerTime": "trigger time",
}
"""What may change from slice to slice of one image, but also tells two images apart."""

PER_FRAME = {
    "echo time": ("MREchoSequence", "EffectiveEchoTime"),
    "b-value": ("MRDiffusionSequence", "DiffusionBValue"),
    "temporal position": ("FrameContentSequence", "TemporalPositionIndex"),
    "image type": ("MRImageFrameTypeSequence", "FrameType"),
    "image component": ("MRImageFrameTypeSequence", "ComplexImageComponent"),
    "contrast agent": ("ContrastBolusUsageSequence", "ContrastBolusAgentAdministered"),
    "acquisition number": ("FrameContentSequence", "FrameAcquisitionNumber"),
    "flip angle": ("MRTimingAndRelatedParametersSequence", "FlipAngle"),
}
"""The same in a multi-frame file: the functional group and the attribute in it."""

GROUPS = {
    *(group for group, _ in PER_FRAME.values()),
    *("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence"),
    "PixelValueTransformationSequence",
}
KEYWORDS = [
    *("SOPClassUID", "SOPInstanceUID", "Modality", "SeriesInstanceUID", "StudyInstanceUID", "PatientID"),
    *("FrameOfReferenceUID", "InstanceNumber", "ImagesInAcquisition"),
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated"),
    *("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "SliceThickness"),
    *("RescaleSlope", "RescaleIntercept", "DimensionIndexSequence"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *SINGULAR,
    *PASSING,
]
_SIEMENS_B_VALUE = Tag(0x0019, 0x100C)
TAGS = {Tag(tag_for_keyword(keyword) or 0): keyword for keyword in KEYWORDS} | {
    _SIEMENS_B_VALUE: "DiffusionBValue"
}
"""What is read of a header."""
_PLACES = {"StackID", "InStackPositionNumber", "ImagePositionPatient", "ImageOrientationPatient"}


@dataclass(frozen=True)
class Frame:
    """A slice: a file of its own, or one of a multi-frame file's.

    Attributes:
        file: where it is.
        index: which of the file's frames it is, counted from 0.
        of: how many frames the file has.
        series: Series Instance UID; likewise ``study``, ``patient`` (its ID), ``space`` (Frame of
            Reference UID), ``identity`` (SOP Instance UID): empty where the header has none.
        description: of the series.
        modality: e.g. MR.
        kind: the values of Image Type.
        colour: whether it has other than grey values.
        inverted: whether low values are white (MONOCHROME1).
        size: rows and columns.
        spacing: mm between rows and between columns; None where the header has none.
        position: of the first pixel's centre in mm (LPS), likewise.
        axes: cosines along a row, then along a column, likewise.
        number: Instance Number.
        thickness: mm, 0 where the header has none.
        in_acquisition: how many images the header counts in the acquisition, 0 where it does not.
        slope: stored values times this, plus ``intercept``, are the image's values.
        intercept: see ``slope``.
        singular: what all slices of one image have in common, in words.
        passing: what may change within an image, in words.
    """

    file: Path
    index: int
    of: int
    series: str
    study: str
    patient: str
    space: str
    identity: str
    description: str
    modality: str
    kind: tuple[str, ...]
    colour: bool
    inverted: bool
    size: tuple[int, int]
    spacing: Numbers | None
    position: Numbers | None
    axes: Numbers | None
    number: int | None
    thickness: float
    in_acquisition: int
    slope: float
    intercept: float
    singular: dict[str, str]
    passing: dict[str, str]

    @property
    def name(self) -> str:
        """The file's name, with the frame's number where it has several."""
        return self.file.name if self.of == 1 else f"frame {self.index + 1} of {self.file.name}"


def header_of(dataset: Dataset, memo: Memo) -> Header:
    """The values of `TAGS` in a file's header; ``memo`` is filled, and spares reading them again.

    Raises:
        Exception: of many kinds, when one is no value of its kind.
    """
    header: Header = {}
    for tag, keyword in TAGS.items():
        if tag not in dataset or (tag == _SIEMENS_B_VALUE and keyword in header):
            continue
        element = dataset.get_item(tag)
        if isinstance(element, RawDataElement) and element.value is not None and element.VR != "SQ":
            key = (tag, element.value)
            if key not in memo:
                memo[key] = dataset[tag].value
            header[keyword] = memo[key]
        else:
            header[keyword] = dataset[tag].value
    return header


def frames_of(path: Path, header: Header) -> Iterator[Frame]:
    """The slices of a file.

    Raises:
        Exception: of many kinds, when the header holds values that are none.
    """
    count = int(header.get("NumberOfFrames") or 1)
    placed = len(header.get("PerFrameFunctionalGroupsSequence") or [])
    if placed and placed != count:
        raise ValueError(f"it counts {count} frames and describes {placed}")
    for index in range(count):
        yield _frame(path, header, index, count)


def _frame(path: Path, header: Header, index: int, count: int) -> Frame:
    groups = _functional_groups(header, index)

    def of_plane(group: str, keyword: str) -> Any:
        return groups[group].get(keyword) if group in groups else header.get(keyword)

    def text(keyword: str) -> str:
        return str(header.get(keyword) or "").strip()

    colours = text("PhotometricInterpretation")
    kind = of_plane("MRImageFrameTypeSequence", "FrameType")
    number = header.get("InstanceNumber")
    transformation = "PixelValueTransformationSequence"
    return Frame(
        file=path,
        index=index,
        of=count,
        series=text("SeriesInstanceUID"),
        study=text("StudyInstanceUID"),
        patient=text("PatientID"),
        space=text("FrameOfReferenceUID"),
        identity=text("SOPInstanceUID"),
        description=text("SeriesDescription"),
        modality=text("Modality"),
        kind=tuple(str(part).upper() for part in _several(kind or header.get("ImageType"))),
        colour=header.get("SamplesPerPixel", 1) != 1 or not colours.startswith("MONOCHROME"),
        inverted=colours == "MONOCHROME1",
        size=(int(header["Rows"]), int(header["Columns"])),
        spacing=_numbers(of_plane("PixelMeasuresSequence", "PixelSpacing"), 2),
        position=_numbers(of_plane("PlanePositionSequence", "ImagePositionPatient"), 3),
        axes=_numbers(of_plane("PlaneOrientationSequence", "ImageOrientationPatient"), 6),
        number=None if number is None or number == "" else int(number),
        thickness=float(of_plane("PixelMeasuresSequence", "SliceThickness") or 0),
        in_acquisition=int(header.get("ImagesInAcquisition") or 0),
        slope=_or(of_plane(transformation, "RescaleSlope"), 1.0),
        intercept=_or(of_plane(transformation, "RescaleIntercept"), 0.0),
        singular=_singular(header, groups),
        passing=_passing(header, groups),
    )


def _functional_groups(header: Header, index: int) -> dict[str, Dataset]:
    """The first item of each functional group that holds for a frame; the frame's own before the shared."""
    shared = header.get("SharedFunctionalGroupsSequence") or []
    own = header.get("PerFrameFunctionalGroupsSequence") or []
    found: dict[str, Dataset] = {}
    for part in (*shared[:1], *own[index : index + 1]):
        found |= {group: part[group].value[0] for group in GROUPS if group in part and part[group].value}
    return found


def _singular(header: Header, groups: dict[str, Dataset]) -> dict[str, str]:
    found: dict[str, str] = {}
    for keyword, name in SINGULAR.items():
        if value := _word(header.get(keyword)):
            found.setdefault(name, value)
    return found | {name: value for name, value in _grouped(groups) if name not in PASSING.values()}


def _passing(header: Header, groups: dict[str, Dataset]) -> dict[str, str]:
    found = {name: value for key, name in PASSING.items() if (value := _word(header.get(key)))}
    found |= {name: value for name, value in _grouped(groups) if name in PASSING.values()}
    content = groups.get("FrameContentSequence")
    values = _several(content.get("DimensionIndexValues")) if content else []
    for item, value in zip(header.get("DimensionIndexSequence") or [], values, strict=False):
        keyword = keyword_for_tag(item.get("DimensionIndexPointer", 0))
        if keyword and keyword not in _PLACES:
            found.setdefault(keyword, str(value))
    return found


def _grouped(groups: dict[str, Dataset]) -> Iterator[tuple[str, str]]:
    """What the functional groups say of `PER_FRAME`, in words."""
    for name, (group, keyword) in PER_FRAME.items():
        if group in groups and (value := _word(groups[group].get(keyword))):
            yield name, value


def _word(value: Any) -> str:
    """A value as a message has it: numbers to three digits, several with a backslash between them."""
    if value is None or value == "":
        return ""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, bytes):
        return value.decode("ascii", errors="replace").strip("\0 ")
    return "\\".join(str(part) for part in _several(value))


def _several(value: Any) -> list[Any]:
    if value is None:
        return []
    return [value] if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__") else list(value)


def _numbers(value: Any, count: int) -> Numbers | None:
    found = tuple(float(part) for part in _several(value) if part is not None and part != "")
    return found if len(found) == count else None


def _or(value: Any, default: float) -> float:
    return default if value is None or value == "" else float(value)
