"""Reading and writing volumes through SimpleITK, with errors that name the file."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from clisc_engine.errors import BadInput
from clisc_engine.imaging.casefiles import BARE_HEADERS, ending_of
from clisc_engine.imaging.dicom import read_series
from clisc_engine.imaging.geometry import Geometry, Volume, geometry_of, to_sitk, words
from clisc_engine.imaging.headers import check_claim, check_grid
from clisc_engine.imaging.itk import reason

_BYTES = {
    sitk.sitkInt16: 2,
    sitk.sitkUInt16: 2,
    sitk.sitkInt32: 4,
    sitk.sitkUInt32: 4,
    sitk.sitkInt64: 8,
    sitk.sitkUInt64: 8,
    sitk.sitkFloat32: 4,
    sitk.sitkFloat64: 8,
}

sitk.ProcessObject.SetGlobalWarningDisplay(False)


def read_volume(path: Path, channel: int | None = None) -> Volume:
    """Read a 3-D image: NIfTI, NRRD, MHA and the like, or a folder with one DICOM series.

    Args:
        path: file or DICOM folder.
        channel: which 3-D volume of a 4-D file to take, counted from 0.

    Returns:
        float32 voxels.

    Raises:
        BadInput: for a file that is unreadable or truncated, not 3-D, absurdly large, holds NaN or
            infinite voxels, or the same value everywhere.
    """
    image, notes = _read(path, channel)
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    if not np.isfinite(array).all():
        raise BadInput(_not_finite(path, array))
    if not array.any():
        raise BadInput(f"{path} is zero everywhere; export it again or leave it out.")
    if array.min() == array.max():
        raise BadInput(f"{path} has the same value {array.flat[0]:g} everywhere; leave it out.")
    return Volume(array, geometry_of(image), str(path), notes)


def read_mask(path: Path) -> Volume:
    """Read a mask; every voxel above 0 becomes 1 (uint8). Errors as for `read_volume`."""
    image, notes = _read(path, None)
    array = sitk.GetArrayFromImage(image)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise BadInput(_not_finite(path, array))
    return Volume((array > 0).astype(np.uint8), geometry_of(image), str(path), notes)


def write_image(path: Path, array: npt.NDArray[Any], geometry: Geometry) -> None:
    """Write (Z, Y, X) voxels on a grid; the format follows the file's ending, in capitals or not.

    The file appears whole or not at all; but a bare header names the file of its voxels, so both are
    written where they belong.
    """
    ending = ending_of(path).lower()
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial{ending}")
    if ending in BARE_HEADERS:
        beside = path
    try:
        sitk.WriteImage(to_sitk(array, geometry), str(beside), useCompression=True)
        beside.replace(path)
    except RuntimeError as error:
        raise BadInput(f"Cannot write {path}: {reason(error)}.") from error
    finally:
        if beside != path:
            beside.unlink(missing_ok=True)


def write_mask(path: Path, mask: npt.NDArray[Any], geometry: Geometry) -> None:
    """Write a (Z, Y, X) mask as uint8 on a grid."""
    write_image(path, (mask != 0).astype(np.uint8), geometry)


def check_source(path: Path) -> None:
    """Refuse what is neither a file nor a folder whose files lie in it.

    A folder's files may be links, but not out of it: nobody named what they lead to.

    Raises:
        BadInput: naming the path.
    """
    if not path.exists():
        raise BadInput(f"{path} does not exist.")
    if path.is_dir():
        root = path.resolve()
        for file in path.iterdir():
            if file.is_symlink() and not file.resolve().is_relative_to(root):
                raise BadInput(
                    f"{file} leads out of its folder to {file.resolve()}; clisc follows only links that "
                    "were named. Copy the folder with its files, e.g. with `cp -rL`."
                )
    elif not path.is_file():
        raise BadInput(f"{path} is neither a file nor a folder.")


def _read(path: Path, channel: int | None) -> tuple[sitk.Image, tuple[str, ...]]:
    """The image, and what is to be said of it."""
    check_source(path)
    if path.is_dir():
        return read_series(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise BadInput(f"{path} cannot be read as an image: {reason(error)}.") from error
    if reader.GetNumberOfComponents() != 1:
        raise BadInput(f"{path} has {reader.GetNumberOfComponents()} values a voxel; give grey images.")
    size = reader.GetSize()
    check_claim(path, math.prod(size), _BYTES.get(reader.GetPixelID(), 1))
    _choose_channel(reader, path, channel)
    check_grid(path, size[:3], reader.GetSpacing()[:3], reader.GetOrigin()[:3], _axes(reader))
    if path.name.lower().endswith((".nii", ".nii.gz")):
        _check_nifti_voxels(path)
    try:
        return reader.Execute(), ()
    except RuntimeError as error:
        raise BadInput(
            f"{path} is damaged or truncated: {reason(error)}. Copy or export it again."
        ) from error


def _axes(reader: sitk.ImageFileReader) -> list[float]:
    """The direction cosines of the first three dimensions, row by row."""
    n = reader.GetDimension()
    return [value for row in range(3) for value in reader.GetDirection()[row * n : row * n + 3]]


def _check_nifti_voxels(path: Path) -> None:
    """Refuse what ITK's NIfTI reader lets pass: it fills up truncated files, and turns NaN into 0."""
    import nibabel

    try:
        voxels = np.asanyarray(nibabel.load(path).dataobj)  # type: ignore[attr-defined]
    except Exception as error:
        raise BadInput(
            f"{path} is damaged or truncated ({type(error).__name__}). Copy or export it again."
        ) from error
    if voxels.dtype.kind == "f" and not np.isfinite(voxels).all():
        raise BadInput(_not_finite(path, voxels))


def _not_finite(path: Path, voxels: npt.NDArray[Any]) -> str:
    count = int((~np.isfinite(voxels)).sum())
    return f"{path} holds {count} NaN or infinite voxels; repair or leave it out."


def _choose_channel(reader: sitk.ImageFileReader, path: Path, channel: int | None) -> None:
    """Restrict a 4-D file to one volume; refuse what is not 3-D in the end."""
    size = list(reader.GetSize())
    if len(size) == 4 and size[3] > 1 and channel is None:
        raise BadInput(
            f"{path} is 4-D with {size[3]} volumes ({words(size)}); say which of them is FLAIR with "
            f"--channel 0 to {size[3] - 1}, or give one 3-D file a case."
        )
    if len(size) == 4:
        index = channel or 0
        if index >= size[3]:
            raise BadInput(f"{path} has {size[3]} volumes, counted from 0; there is no channel {index}.")
        reader.SetExtractSize([*size[:3], 0])
        reader.SetExtractIndex([0, 0, 0, index])
        return
    if len(size) != 3 or min(size) < 2:
        raise BadInput(f"{path} is {words(size)}, not a 3-D volume.")
