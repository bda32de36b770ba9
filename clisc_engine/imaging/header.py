"""What the header of a volume says, read without its voxels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from clisc_engine.errors import BadInput
from clisc_engine.imaging.dicom import is_dicom_file, size_and_spacing
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
        BadInput: when it is not there or is no image; of DICOM also when its slices make no volume.
    """
    if not path.exists():
        raise BadInput(f"{path} does not exist.")
    if path.is_dir() or is_dicom_file(path):
        return Header(*size_and_spacing(path))
    if is_nifti(path):
        found = read_nifti_header(path)
        return Header(found.size, found.geometry.spacing)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        raise BadInput(f"{path} cannot be read as an image.") from None
    return Header(reader.GetSize(), reader.GetSpacing()[:3])
