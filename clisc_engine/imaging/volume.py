"""Reading and writing volumes, NIfTI with nibabel and all else with SimpleITK; errors name the file."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from clisc_engine.errors import BadInput
from clisc_engine.imaging.dicom import is_dicom_file, read_dicom
from clisc_engine.imaging.endings import BARE_HEADERS, ending_of
from clisc_engine.imaging.geometry import Geometry, Volume, from_affine, geometry_of, to_sitk
from clisc_engine.imaging.headers import channel_of, check_claim, check_grid
from clisc_engine.imaging.intensities import check_intensities
from clisc_engine.imaging.itk import reason
from clisc_engine.imaging.itk_header import told_of_header
from clisc_engine.imaging.nifti import is_nifti, read_nifti, write_nifti
from clisc_engine.imaging.pairs import is_half
from clisc_engine.imaging.shear import upright
from clisc_engine.imaging.source import check_source

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
    read = read_voxels(path, channel)
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite then, and refused by name
        array = read.array.astype(np.float32, copy=False)
    check_intensities(path, array)
    return Volume(array, read.geometry, read.source, read.notes)


def read_voxels(path: Path, channel: int | None = None) -> Volume:
    """Read a 3-D file's voxels as they are, whole numbers or floats; errors as for `read_volume`.

    Zero or one value everywhere is no error here: a mask may mark nothing.
    """
    volume = _read(path, channel)
    if volume.array.dtype.kind == "f" and not np.isfinite(volume.array).all():
        raise BadInput(_not_finite(path, volume.array))
    return volume


def write_image(path: Path, array: npt.NDArray[Any], geometry: Geometry) -> None:
    """Write (Z, Y, X) voxels on a grid; the format follows the file's ending, in capitals or not.

    The file appears whole or not at all; but a bare header names the file of its voxels, so both are
    written where they belong.

    Raises:
        BadInput: for a pair of files.
        OSError: when the disk does not take it.
    """
    if is_half(path):
        raise BadInput(f"Cannot write {path}: clisc writes NIfTI as one file; name it .nii.gz or .nii.")
    ending = ending_of(path).lower()
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial{ending}")
    if ending in BARE_HEADERS:
        beside = path
    try:
        if is_nifti(path):
            write_nifti(beside, array, geometry)
        else:
            _write_other(beside, array, geometry)
        beside.replace(path)
    finally:
        if beside != path:
            beside.unlink(missing_ok=True)


def _write_other(path: Path, array: npt.NDArray[Any], geometry: Geometry) -> None:
    """NRRD, MetaImage and the like; read back, since on a full disk ITK may say nothing of what it lost.

    Raises:
        OSError: when the file is not what was to be written. ITK takes our voxels: the disk did not.
    """
    try:
        sitk.WriteImage(to_sitk(array, geometry), str(path), useCompression=True)
        whole = np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), array)
    except RuntimeError as error:
        raise OSError(errno.EIO, reason(error), str(path)) from error
    if not whole:
        raise OSError(errno.EIO, "it was not written whole", str(path))


def write_mask(path: Path, mask: npt.NDArray[Any], geometry: Geometry) -> None:
    """Write a (Z, Y, X) mask as uint8 on a grid; raises as `write_image` does."""
    write_image(path, (mask != 0).astype(np.uint8), geometry)


def _read(path: Path, channel: int | None) -> Volume:
    """The voxels as the file has them, and what is to be said of it."""
    check_source(path)
    if path.is_dir() or is_dicom_file(path):
        return read_dicom(path)
    if is_nifti(path):
        return read_nifti(path, channel)
    image = _read_other(path, channel)
    grid = geometry_of(image)
    grid, squared_up = upright(
        path, from_affine(grid.affine, grid.size, grid.spacing), "header", "3D Slicer"
    )
    return Volume(sitk.GetArrayFromImage(image), grid, str(path), (*told_of_header(path), *squared_up))


def _read_other(path: Path, channel: int | None) -> sitk.Image:
    """NRRD, MetaImage and the like."""
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
    index = channel_of(path, size, channel)
    if len(size) == 4:
        reader.SetExtractSize([*size[:3], 0])
        reader.SetExtractIndex([0, 0, 0, index])
    check_grid(path, size[:3], reader.GetSpacing()[:3], reader.GetOrigin()[:3], _axes(reader))
    try:
        return reader.Execute()
    except RuntimeError as error:
        raise BadInput(
            f"{path} is damaged or truncated: {reason(error)}. Copy or export it again."
        ) from error


def _axes(reader: sitk.ImageFileReader) -> list[float]:
    """The direction cosines of the first three dimensions, row by row."""
    n = reader.GetDimension()
    return [value for row in range(3) for value in reader.GetDirection()[row * n : row * n + 3]]


def _not_finite(path: Path, voxels: npt.NDArray[Any]) -> str:
    count = int((~np.isfinite(voxels)).sum())
    if count > voxels.size / 4 and np.isnan(voxels[:, 0, 0]).all():
        return (
            f"{path} holds {count} NaN or infinite voxels, as its background it seems; set it to 0, e.g. "
            "with `fslmaths IN -nan OUT`."
        )
    return f"{path} holds {count} NaN or infinite voxels; repair or leave it out."
