"""The values of DICOM slices."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileDataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_modality_lut
from pydicom.tag import BaseTag, Tag
from pydicom.uid import MRImageStorage, MultiFrameGrayscaleWordSecondaryCaptureImageStorage

from clisc_engine.errors import BadInput
from clisc_engine.imaging.dicom.frames import Frame

Values: TypeAlias = npt.NDArray[np.float32]

_TAGS: list[BaseTag | int] = [
    Tag(keyword)
    for keyword in (
        *("SOPInstanceUID", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration"),
        *("NumberOfFrames", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit"),
        *("PixelRepresentation", "ModalityLUTSequence"),
        *("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
        *("FloatPixelData", "DoubleFloatPixelData", "PixelData"),
    )
]


def values_of(frames: Sequence[Frame]) -> Values:
    """The slices' values, (slice, row, column): stored ones through each slice's own rescaling.

    Raises:
        BadInput: naming the file that cannot be decoded.
    """
    array = np.empty((len(frames), *frames[0].size), np.float32)
    stored = lru_cache(maxsize=1)(_stored)
    for place, frame in enumerate(frames):
        plane = stored(frame.file)[frame.index].astype(np.float32)
        if (frame.slope, frame.intercept) != (1, 0):
            plane = plane * np.float32(frame.slope) + np.float32(frame.intercept)
        array[place] = plane
    return array


def _stored(file: Path) -> npt.NDArray[Any]:
    """All frames of a file, (frame, row, column), as stored or through its table of values."""
    try:
        with pydicom.config.disable_value_validation():
            dataset = pydicom.dcmread(file, force=True, specific_tags=_TAGS)
            below = _bits_below(dataset)
            array = _decoded(dataset) >> below if below else _decoded(dataset)
            if "ModalityLUTSequence" in dataset:
                array = apply_modality_lut(array, dataset)
    except OSError as error:
        raise BadInput(f"Cannot read {file}: {error.strerror or error}.") from error
    except Exception as error:
        raise BadInput(
            f"{file} cannot be decoded ({_syntax(error)}); decompress the series first, e.g. with "
            "`gdcmconv --raw` or dcm2niix, or export it uncompressed."
        ) from error
    return array.reshape(-1, *array.shape[-2:])


def _bits_below(dataset: FileDataset) -> int:
    """Bits under a value's lowest one, as old files have them that keep 12 bits in the upper part of 16.

    Decoders heed them no more; the header is made to say that these bits are the value's, too.
    """
    stored = int(dataset.get("BitsStored") or 0)
    below = int(dataset.get("HighBit") or 0) + 1 - stored
    if not stored or below <= 0 or "PixelData" not in dataset or dataset["PixelData"].is_undefined_length:
        return 0
    dataset.BitsStored = stored + below
    return below


def _decoded(dataset: FileDataset) -> npt.NDArray[Any]:
    meta = dataset.file_meta
    if "TransferSyntaxUID" not in meta:  # a file without preamble
        implicit, little = dataset.original_encoding
        meta.TransferSyntaxUID = (
            pydicom.uid.ImplicitVRLittleEndian
            if implicit
            else pydicom.uid.ExplicitVRLittleEndian
            if little
            else pydicom.uid.ExplicitVRBigEndian
        )
    try:
        decoder = get_decoder(meta.TransferSyntaxUID)
        if decoder.is_available:
            return decoder.as_array(dataset, raw=True)[0]
    except (NotImplementedError, RuntimeError, ValueError, AttributeError):
        if not meta.TransferSyntaxUID.is_compressed:
            raise
    return _decoded_by_itk(dataset)  # it knows more kinds, e.g. lossless JPEG and JPEG of 12 bits


def _decoded_by_itk(dataset: FileDataset) -> npt.NDArray[Any]:
    """The stored values as ITK decodes them, from a copy whose header asks for no change of values."""
    several = int(dataset.get("NumberOfFrames") or 1) > 1
    bare = Dataset()
    for element in dataset:
        if element.tag.group in (0x0028, 0x7FE0):
            bare[element.tag] = element
    bare.pop("ModalityLUTSequence", None)
    kind = MultiFrameGrayscaleWordSecondaryCaptureImageStorage if several else MRImageStorage
    bare.SOPClassUID, bare.SOPInstanceUID = kind, dataset.get("SOPInstanceUID", "1.2.3")
    bare.PhotometricInterpretation, bare.file_meta = "MONOCHROME2", dataset.file_meta
    bare.file_meta.MediaStorageSOPClassUID = kind
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy.dcm")
        bare.save_as(copy, enforce_file_format=True)
        return sitk.GetArrayFromImage(sitk.ReadImage(str(copy)))


def _syntax(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__).rsplit("ERROR:", 1)[-1].strip()[:160]
