"""Volumes on their grid in patient space."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clisc_engine.imaging.forms import Affine, Forms

if TYPE_CHECKING:
    import SimpleITK as sitk

GEOMETRY_TOLERANCE = 1e-3
"""Millimetres, or units of a direction cosine; of numbers above 1, that part of the largest."""

SAME_PLACE = 0.25
"""Voxels: origins that are further apart are never the same, however far from 0 they lie."""

ROUNDING = 1e-5
"""Relative difference of a spacing and an affine that come of the same number."""

_TURN = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From RAS to LPS and back."""


@dataclass(frozen=True)
class Geometry:
    """The grid of a volume in patient space, in SimpleITK's order and convention (LPS, mm).

    Attributes:
        size: voxels along (x, y, z).
        spacing: mm along (x, y, z).
        origin: position of the first voxel's centre.
        direction: row-major 3 x 3 direction cosines; columns are the axes.
        forms: the header's own fields, where the volume is NIfTI.
    """

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]
    forms: Forms | None = None

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Geometry:
        """From plain values as ``dataclasses.asdict`` gives them, also after a round trip through JSON."""
        size, spacing, origin, direction = (
            tuple(values[name]) for name in ("size", "spacing", "origin", "direction")
        )
        forms = values.get("forms")
        return cls(size, spacing, origin, direction, Forms.from_dict(forms) if forms else None)

    @property
    def matrix(self) -> npt.NDArray[np.float64]:
        """The direction cosines as 3 x 3; columns are the axes."""
        return np.array(self.direction, float).reshape(3, 3)

    @property
    def affine(self) -> Affine:
        """The grid as NIfTI has it: 4 x 4, RAS, mm."""
        affine = np.eye(4)
        affine[:3, :3] = self.matrix * self.spacing
        affine[:3, 3] = self.origin
        return _TURN @ affine


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
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(array)
    image.SetSpacing(geometry.spacing)
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction)
    return image


def geometry_of(image: sitk.Image) -> Geometry:
    """The grid of a SimpleITK image."""
    return Geometry(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())


def from_affine(
    affine: Affine, size: tuple[int, ...], spacing: tuple[float, ...] | None = None
) -> Geometry:
    """The grid of an affine (4 x 4, RAS, mm), whose axes need not be at right angles.

    Where ``spacing`` is the affine's but for rounding, it is taken to the letter.
    """
    turned = _TURN @ affine
    lengths = np.linalg.norm(turned[:3, :3], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        axes = turned[:3, :3] / lengths
    if spacing is not None and np.allclose(lengths, spacing, rtol=ROUNDING, atol=0):
        lengths = np.array(spacing)
    return Geometry(
        tuple(int(n) for n in size[:3]),
        tuple(float(length) for length in lengths),
        tuple(float(value) for value in turned[:3, 3]),
        tuple(float(value) for value in axes.ravel()),
    )


def squared(geometry: Geometry) -> tuple[Geometry, float]:
    """The grid with axes at right angles that is nearest to a sheared one, the volume's middle held fast.

    Returns:
        It, and how far it moves any voxel from its place: voxels along one axis.
    """
    left, _, right = np.linalg.svd(geometry.matrix)
    matrix, spacing = left @ right, np.array(geometry.spacing)
    corners = np.array([*itertools.product(*[(-(n - 1) / 2, (n - 1) / 2) for n in geometry.size])])
    middle = (np.array(geometry.size) - 1) / 2
    shift = (geometry.matrix - matrix) * spacing
    moved = float(np.abs(corners @ shift.T @ matrix / spacing).max())
    origin = np.array(geometry.origin) + shift @ middle
    plain = (tuple(float(v) for v in origin), tuple(float(v) for v in matrix.ravel()))
    return Geometry(geometry.size, geometry.spacing, *plain, geometry.forms), moved


def difference(a: Geometry, b: Geometry) -> str:
    """In words, how two grids differ; empty when they are the same within the tolerance.

    The grids of NIfTI files are the same when they are so by any of their forms: tools write masks by
    the one or the other.
    """
    found = _difference(a, b)
    if found and any(not _difference(one, other) for one in _grids(a) for other in _grids(b)):
        return ""
    return found


def _grids(geometry: Geometry) -> list[Geometry]:
    """The grid that is used, and those of the header's forms."""
    if geometry.forms is None:
        return [geometry]
    affines = geometry.forms.affines(geometry.size).values()
    return [geometry, *[from_affine(affine, geometry.size) for affine in affines]]


def _difference(a: Geometry, b: Geometry) -> str:
    if a.size != b.size:
        return f"size {words(a.size)} against {words(b.size)}"
    for name in ("spacing", "origin", "direction"):
        first, second = np.array(getattr(a, name)), np.array(getattr(b, name))
        limit = GEOMETRY_TOLERANCE * max(1.0, float(np.abs(first).max()))
        if name == "origin":
            limit = min(limit, SAME_PLACE * min(a.spacing))
        if not np.abs(first - second).max() <= limit:
            return f"{name} {words(first)} against {words(second)}"
    return ""


def words(values: Any) -> str:
    """Numbers as a message has them, e.g. ``56 x 64 x 36``."""
    return " x ".join(f"{value:g}" for value in values)
