"""What the header of a volume says, read without its voxels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from clisc_engine.errors import BadInput
from clisc_engine.imaging.dicom import is_dicom_file, size_and_spacing


@dataclass(frozen=True)
class Header:
    """Size in voxels along (x, y, z), or (x, y, z, channels), and spacing in mm along (x, y, z)."""

    size: tuple[int, ...]
    spacing: tuple[float, ...]


def read_header(path: Path) -> Header:
    """The header of an image file or of a DICOM folder's FLAIR series.

    Raises:
        BadInput: when it is not there or is no image; of DICOM also when its slices make no volume.
    """
    if not path.exists():
        raise BadInput(f"{path} does not exist.")
    if path.is_dir() or is_dicom_file(path):
        return Header(*size_and_spacing(path))
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        raise BadInput(f"{path} cannot be read as an image.") from None
    return Header(reader.GetSize(), reader.GetSpacing()[:3])
