"""What the header of a volume says, read without its voxels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from clisc_engine.errors import BadInput
from clisc_engine.imaging.dicom import flair_series
from clisc_engine.imaging.nifti import is_nifti
from clisc_engine.imaging.nifti_header import read_header as read_nifti_header


@dataclass(frozen=True)
class Header:
    """Size in voxels along (x, y, z), or (x, y, z, channels), and spacing in mm along (x, y, z)."""

    size: tuple[int, ...]
    spacing: tuple[float, ...]


def read_header(path: Path) -> Header:
    """The header of an image file or of a DICOM folder's FLAIR series.

    Raises:
        BadInput: when it is not there or is no image.
    """
    if not path.exists():
        raise BadInput(f"{path} does not exist.")
    if path.is_file() and is_nifti(path):
        found = read_nifti_header(path)
        return Header(found.size, found.geometry.spacing)
    file, slices = str(path), 0
    if path.is_dir():
        files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(path), flair_series(path))
        file, slices = files[0], len(files)
    reader = sitk.ImageFileReader()
    reader.SetFileName(file)
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        raise BadInput(f"{path} cannot be read as an image.") from None
    size = (*reader.GetSize()[:2], slices) if slices > 1 else reader.GetSize()
    return Header(size, reader.GetSpacing()[:3])
