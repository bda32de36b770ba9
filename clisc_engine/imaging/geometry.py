"""Volumes on their grid in patient space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

GEOMETRY_TOLERANCE = 1e-3
"""Millimetres, or units of a direction cosine."""


@dataclass(frozen=True)
class Geometry:
    """The grid of a volume in patient space, in SimpleITK's order and convention (LPS, mm).

    Attributes:
        size: voxels along (x, y, z).
        spacing: mm along (x, y, z).
        origin: position of the first voxel's centre.
        direction: row-major 3 x 3 direction cosines; columns are the axes.
    """

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]


@dataclass(frozen=True)
class Volume:
    """Voxels (Z, Y, X) on their grid, and where they come from.

    ``notes`` are sentences for the user: what was taken otherwise than the file's letter, and what was
    left out.
    """

    array: npt.NDArray[Any]
    geometry: Geometry
    source: str
    notes: tuple[str, ...] = ()


def to_sitk(array: npt.NDArray[Any], geometry: Geometry) -> sitk.Image:
    """A SimpleITK image of (Z, Y, X) voxels on a grid."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(geometry.spacing)
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction)
    return image


def geometry_of(image: sitk.Image) -> Geometry:
    """The grid of a SimpleITK image."""
    return Geometry(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())


def difference(a: Geometry, b: Geometry) -> str:
    """In words, how two grids differ; empty when they are the same within the tolerance."""
    if a.size != b.size:
        return f"size {words(a.size)} against {words(b.size)}"
    for name in ("spacing", "origin", "direction"):
        first, second = np.array(getattr(a, name)), np.array(getattr(b, name))
        if np.abs(first - second).max() > GEOMETRY_TOLERANCE * max(1.0, float(np.abs(first).max())):
            return f"{name} {words(first)} against {words(second)}"
    return ""


def words(values: Any) -> str:
    """Numbers as a message has them, e.g. ``56 x 64 x 36``."""
    return " x ".join(f"{value:g}" for value in values)
