"""A mask as a DICOM Segmentation that refers to the images it was drawn on, written by highdicom."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from clisc_engine.errors import BadInput
from clisc_engine.imaging.dicom.choice import stack_at
from clisc_engine.imaging.dicom.frames import Frame
from clisc_engine.version import VERSION

_EMPTY_IF_LACKING = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"),
    *("StudyDate", "StudyTime", "ReferringPhysicianName"),
)
"""What every object has of the patient and the study, empty where it is not known."""

_ALPHABET = "SpecificCharacterSet"
_NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
_OWN_SERIES = 1000
"""Is added to the source's series number."""


@dataclass(frozen=True)
class Origin:
    """What made a mask.

    Attributes:
        name: of the mask, e.g. ``round2``.
        fingerprint: of all that made it; with the source it decides the segmentation's UIDs.
        made: when.
        parameters: further facts by name.
    """

    name: str
    fingerprint: str
    made: datetime
    parameters: Mapping[str, str]


def segmentation_of(source: Path, mask: npt.NDArray[np.uint8], origin: Origin) -> Dataset:
    """The mask of a DICOM folder or multi-frame file as a DICOM Segmentation of one segment.

    The same mask of the same source gets the same UIDs, and the same bytes.

    Args:
        source: as `imaging.dicom.read_dicom` takes it.
        mask: (Z, Y, X), 0 or 1, on the grid that `read_dicom` gives.
        origin: what made it.

    Raises:
        BadInput: when the source is no such volume any more, or its headers lack what a segmentation
            must refer to.
    """
    frames = stack_at(source).frames
    if mask.shape != (len(frames), *frames[0].size):
        raise BadInput(f"{source} holds other slices than when it was imported; restore its files.")
    images = _images(source, frames)
    with warnings.catch_warnings():  # one names the patient, whose name we only pass on
        warnings.filterwarnings("ignore", ".* unlikely to represent the intended person name", UserWarning)
        try:
            made = _written(images, mask, origin)
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # highdicom's, of headers
            why = str(error).strip("'\". ") or type(error).__name__
            raise BadInput(
                f"{source}: no DICOM Segmentation can refer to its images ({why}). Write its mask as NIfTI "
                "with `clisc export masks`."
            ) from error
    _refer_to(made, frames)
    return made


def _written(images: Sequence[Dataset], planes: npt.NDArray[np.uint8], origin: Origin) -> Dataset:
    """The segmentation that refers to these images, with a plane (Y, X) for each.

    What the images say of patient and study goes on as it is there: highdicom refuses values that scanners
    and archives write, and lists of character sets that begin with an empty one.
    """
    import highdicom

    kept = [images[0][name] for name in (*_EMPTY_IF_LACKING, _ALPHABET) if name in images[0]]
    for name in _EMPTY_IF_LACKING:
        del images[0][name]  # a new element, for the value of the old one is kept
        setattr(images[0], name, None)
    entropy = [images[0].SeriesInstanceUID, origin.name, origin.fingerprint, VERSION]
    made = highdicom.seg.Segmentation(
        source_images=images,
        pixel_array=planes,
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(origin, generate_uid(entropy_srcs=[*entropy, "segment"]))],
        series_instance_uid=generate_uid(entropy_srcs=[*entropy, "series"]),
        series_number=int(images[0].get("SeriesNumber") or 0) + _OWN_SERIES,
        sop_instance_uid=generate_uid(entropy_srcs=[*entropy, "instance"]),
        instance_number=1,
        manufacturer="clisc",
        manufacturer_model_name="clisc",
        software_versions=VERSION,
        device_serial_number=origin.fingerprint[:16] or "0",
        content_label="TUMOUR",
        content_description=f"CLISC, masks/{origin.name}; research only",
        series_description=f"CLISC tumour ({origin.name})",
        omit_empty_frames=bool(planes.any()),
        specific_character_set=None,
    )
    for element in kept:
        made[element.tag] = element
    _make_repeatable(made, origin.made, generate_uid(entropy_srcs=[*entropy, "dimensions"]))
    return made


def _images(source: Path, frames: Sequence[Frame]) -> list[Dataset]:
    """The headers of the slices, in their order; of a multi-frame file, one of these slices alone."""
    files = list(dict.fromkeys(frame.file for frame in frames))
    if len({frame.identity for frame in frames if frame.identity}) < len(files):
        raise BadInput(
            f"{source}: several slices have one SOPInstanceUID, or none, so no segmentation can say which "
            "it refers to; export the series again, or write its mask as NIfTI with `clisc export masks`."
        )
    if all(frame.of == 1 for frame in frames):
        headers = [_header(frame.file) for frame in frames]
        for header in headers:  # they differ by rounding at most, which highdicom refuses
            header.ImageOrientationPatient = headers[0].ImageOrientationPatient
        return headers
    if len(files) > 1:
        raise BadInput(
            f"{source} is spread over {len(files)} multi-frame files; a DICOM Segmentation can refer to "
            "one. Write its mask as NIfTI with `clisc export masks`."
        )
    return [_of_these_alone(_header(files[0]), frames)]


def _of_these_alone(header: Dataset, frames: Sequence[Frame]) -> Dataset:
    """A multi-frame file's header as if it held these frames and no other, in their order.

    highdicom takes none that holds its localizer, too, nor one that says orientation and pixel spacing
    frame by frame, as it may.
    """
    own = [header.PerFrameFunctionalGroupsSequence[frame.index] for frame in frames]
    shared = (*(header.get("SharedFunctionalGroupsSequence") or []), Dataset())[0]
    for name in ("PlaneOrientationSequence", "PixelMeasuresSequence"):
        if name in own[0]:
            shared[name] = own[0][name]
        for groups in own:
            groups.pop(name, None)
    header.SharedFunctionalGroupsSequence = [shared]
    header.PerFrameFunctionalGroupsSequence = own
    header.NumberOfFrames = len(own)
    return header


def _refer_to(made: Dataset, frames: Sequence[Frame]) -> None:
    """Number the frames that a segmentation refers to as their file does, which may hold others."""
    for groups in made.PerFrameFunctionalGroupsSequence:
        for derivation in groups.get("DerivationImageSequence", []):
            for image in derivation.SourceImageSequence:
                if "ReferencedFrameNumber" in image:
                    image.ReferencedFrameNumber = frames[int(image.ReferencedFrameNumber) - 1].index + 1


def _header(file: Path) -> Dataset:
    try:
        header = pydicom.dcmread(file, stop_before_pixels=True, force=True)
    except OSError as error:
        raise BadInput(f"Cannot read {file}: {error.strerror or error}.") from error
    if lacking := [name for name in _NEEDED if not header.get(name)]:
        raise BadInput(
            f"{file} has no {lacking[0]}, so no segmentation can refer to it; export the series again, or "
            "write its mask as NIfTI with `clisc export masks`."
        )
    for name in (*_EMPTY_IF_LACKING, "SliceThickness"):
        if name not in header:
            setattr(header, name, None)
    return header


def _segment(origin: Origin, tracking: str) -> Any:
    """The one segment: a neoplasm of the brain, drawn by CLISC."""
    import highdicom
    from pydicom.sr.codedict import codes

    algorithm = highdicom.AlgorithmIdentificationSequence(
        name="CLISC",
        family=codes.DCM.ArtificialIntelligence,
        version=VERSION,
        source="clisc",
        parameters={"masks": origin.name, "fingerprint": origin.fingerprint, **origin.parameters},
    )
    return highdicom.seg.SegmentDescription(
        segment_number=1,
        segment_label="Tumour",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Neoplasm,
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm,
        tracking_uid=tracking,
        tracking_id="CLISC tumour",
        anatomic_regions=[codes.SCT.Brain],
    )


def _make_repeatable(made: Dataset, moment: datetime, dimensions: str) -> None:
    """Put the mask's own time and a UID of its own in place of now and of a drawn one."""
    for name in ("Content", "InstanceCreation", "Series"):
        if f"{name}Date" in made:
            setattr(made, f"{name}Date", moment.strftime("%Y%m%d"))
        if f"{name}Time" in made:
            setattr(made, f"{name}Time", moment.strftime("%H%M%S"))
    for equipment in made.get("ContributingEquipmentSequence", []):
        if equipment.get("ManufacturerModelName") == "highdicom":
            equipment.ContributionDateTime = moment.strftime("%Y%m%d%H%M%S")
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = dimensions
