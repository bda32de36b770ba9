"""NIfTI volumes, one file or a pair, read by nibabel's headers and written by nibabel."""

from __future__ import annotations

import math
from pathlib import Path
from typing import IO, Any

import nibabel
import numpy as np
import numpy.typing as npt

from clisc_engine.errors import BadInput
from clisc_engine.imaging.geometry import Geometry, Volume
from clisc_engine.imaging.headers import channel_of
from clisc_engine.imaging.nifti_header import Header, opened, read_header
from clisc_engine.imaging.pairs import is_half

SINGLE = (".nii", ".nii.gz")
_CHUNK = 1 << 22


def is_nifti(path: Path) -> bool:
    """Whether a file's name is one of NIfTI."""
    return path.name.lower().endswith(SINGLE) or is_half(path)


def read_nifti(path: Path, channel: int | None = None) -> Volume:
    """A volume with its voxels as the file has them, or float where they are scaled; NaN is not looked for.

    Args:
        path: one file, or either file of a pair.
        channel: which volume of a 4-D file, counted from 0.

    Raises:
        BadInput: for a file that is damaged, no NIfTI, or not one 3-D grey volume in the end.
    """
    header = read_header(path)
    index = channel_of(path, header.size, channel)
    shape = header.size[2::-1]
    raw: npt.NDArray[Any] = np.empty(shape, header.dtype)
    volumes = math.prod(header.size[3:])
    with opened(header.voxels) as file:
        _skip(file, header.offset + index * raw.nbytes, header.voxels)
        _fill(file, raw, header.voxels)
        _skip(file, (volumes - 1 - index) * raw.nbytes, header.voxels)
        while file.read(_CHUNK):  # to the end, where gzip has its checksum
            pass
    return Volume(_scaled(raw, header), header.geometry, str(path), header.notes)


def write_nifti(path: Path, array: npt.NDArray[Any], geometry: Geometry) -> None:
    """Write (Z, Y, X) voxels as one file.

    On a grid that came from NIfTI it gets that file's version, forms, codes and unit, bit for bit; else
    both forms say the grid.

    Raises:
        OSError: when it cannot be written.
    """
    forms = geometry.forms
    kind = nibabel.Nifti2Image if forms and forms.version == 2 else nibabel.Nifti1Image
    header = kind.header_class()
    header.set_data_dtype(array.dtype)
    voxels = array.transpose(2, 1, 0)
    if forms is None:
        image = kind(voxels, geometry.affine, header)
        image.set_qform(geometry.affine, 1)
        image.set_sform(geometry.affine, 1)
        image.header.set_xyzt_units("mm")
    else:
        image = kind(voxels, None, header)
        forms.put(image.header)
    nibabel.save(image, path)


def _skip(file: IO[bytes], count: int, path: Path) -> None:
    """Read past so many bytes."""
    while count > 0:
        if not (block := file.read(min(count, _CHUNK))):
            raise _truncated(path)
        count -= len(block)


def _fill(file: IO[bytes], raw: npt.NDArray[Any], path: Path) -> None:
    target = raw.reshape(-1).view(np.uint8).data
    done = 0
    while done < len(target):
        block = file.read(min(_CHUNK, len(target) - done))
        if not block:
            raise _truncated(path)
        target[done : done + len(block)] = block
        done += len(block)


def _truncated(path: Path) -> BadInput:
    return BadInput(
        f"{path} is damaged or truncated: it ends before its last voxel. Copy or export it again."
    )


def _scaled(raw: npt.NDArray[Any], header: Header) -> npt.NDArray[Any]:
    """The voxels times slope plus intercept, as SimpleITK gives them; integers become float32 first."""
    array = raw.astype(raw.dtype.newbyteorder("="), copy=False)
    if not header.slope or (header.slope, header.intercept) == (1, 0):
        return array
    scaled = array.astype(np.float64 if array.dtype == np.float64 else np.float32)
    for plane in scaled:  # one by one, for their float64 copies are large
        plane[...] = plane.astype(np.float64) * header.slope + header.intercept
    return scaled
