"""A volume that is in memory already: an array with its spacing, or a SimpleITK image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clisc_engine.errors import BadInput
from clisc_engine.imaging.geometry import Geometry, Volume, from_affine, geometry_of
from clisc_engine.imaging.headers import SPACINGS, channel_of, check_grid
from clisc_engine.imaging.intensities import check_intensities
from clisc_engine.imaging.shear import upright

if TYPE_CHECKING:
    import SimpleITK as sitk

ARRAY, IMAGE = "the array", "the SimpleITK image"
"""What messages call them, in the place of a file's name."""


def volume_of_array(array: npt.NDArray[Any], spacing: Sequence[float]) -> Volume:
    """An axial volume without a place in the scanner.

    Args:
        array: (Z, Y, X) real voxels; z leads to the head, y to the back of the head, x to the patient's
            left.
        spacing: (z, y, x) in mm.

    Returns:
        float32 voxels.

    Raises:
        BadInput: when it is not 3-D, or its voxels or its spacing are none of an MR volume.
    """
    if array.ndim != 3:
        raise BadInput(f"{ARRAY} has {array.ndim} dimensions; give one volume, (Z, Y, X).")
    if np.ma.is_masked(array):
        raise BadInput(f"{ARRAY} is masked; give array.filled(0), so that what is masked is background.")
    z, y, x = _three(spacing)
    depth, height, width = array.shape
    axes = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    return _checked(
        np.asarray(array), Geometry((width, height, depth), (x, y, z), (0.0, 0.0, 0.0), axes), ARRAY
    )


def _three(spacing: Any) -> tuple[float, float, float]:
    """The numbers of an array's spacing.

    Raises:
        BadInput: when they are not three, or none of a voxel in mm.
    """
    try:
        z, y, x = (float(value) for value in spacing)
    except (TypeError, ValueError):
        raise BadInput(f"spacing is {spacing!r}; give three numbers, (z, y, x) in mm.") from None
    if not all(SPACINGS[0] <= value <= SPACINGS[1] for value in (z, y, x)):
        least, most = SPACINGS
        raise BadInput(f"spacing is {spacing!r}; a voxel has {least:g} to {most:g} mm along z, y and x.")
    return z, y, x


def volume_of_image(image: sitk.Image) -> Volume:
    """A SimpleITK image on its own grid, with float32 voxels.

    Raises:
        BadInput: when it is not a 3-D grey image, or its voxels or its grid are none of an MR volume.
    """
    import SimpleITK as sitk

    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise BadInput(
            f"{IMAGE} has {image.GetDimension()} dimensions and {image.GetNumberOfComponentsPerPixel()} "
            "values a voxel; give a 3-D grey one."
        )
    return _checked(sitk.GetArrayFromImage(image), geometry_of(image), IMAGE)


def _checked(array: npt.NDArray[Any], geometry: Geometry, name: str) -> Volume:
    """The volume, checked as one of a file is."""
    if array.dtype.kind not in "biuf":
        raise BadInput(f"{name} holds {array.dtype}; give real numbers.")
    path = Path(name)
    channel_of(path, geometry.size, None)
    check_grid(path, geometry.size, geometry.spacing, geometry.origin, geometry.direction)
    plain = from_affine(geometry.affine, geometry.size, geometry.spacing)
    geometry, squared_up = upright(path, plain, "direction", "`SimpleITK.Resample`")
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite then, and refused
        voxels = array.astype(np.float32)
    if not np.isfinite(voxels).all():
        raise BadInput(f"{name} holds NaN or infinite voxels; set the background to 0.")
    check_intensities(path, voxels)
    return Volume(voxels, geometry, name, squared_up)
