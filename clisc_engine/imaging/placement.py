"""Where a stored volume lies in its input, and the exact way back to the input's own grid.

Axes are turned and flipped by NumPy, and so do resampled masks go to the nearest voxel.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine.imaging.geometry import Geometry, geometry_of, to_sitk

CANONICAL = "LPS"
"""x to the left, y to the back, z up: a stored volume's slices are axial, as SimpleITK has them."""

TIE = 1e-6
"""How far from midway between two voxels, in voxels, is taken for midway: rounding decides nothing."""


@dataclass(frozen=True)
class Placement:
    """Where a stored volume lies in its input.

    Attributes:
        source: the input's grid.
        grid: the whole canonical grid, resampled if asked for, before the crop.
        crop: (start, stop) along z, y and x of that grid.
    """

    source: Geometry
    grid: Geometry
    crop: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Placement:
        """From `to_dict`, also after a round trip through JSON."""
        source, grid = (Geometry.from_dict(values[name]) for name in ("source", "grid"))
        z, y, x = ((int(start), int(stop)) for start, stop in values["crop"])
        return cls(source, grid, (z, y, x))

    @property
    def spacing(self) -> tuple[float, float, float]:
        """(z, y, x) in mm of the stored volume."""
        x, y, z = self.grid.spacing
        return (z, y, x)

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """The crop as slices of a (Z, Y, X) array."""
        z, y, x = (slice(start, stop) for start, stop in self.crop)
        return (z, y, x)

    @property
    def is_resampled(self) -> bool:
        """Whether the canonical grid has other voxels than the input's, not the same ones turned."""
        order = np.abs(_likeness(self.source, self.grid)).argmax(axis=1)
        pairs = ((self.source.size, self.grid.size), (self.source.spacing, self.grid.spacing))
        return any(tuple(before[axis] for axis in order) != tuple(after) for before, after in pairs)


def restore(array: npt.NDArray[Any], placement: Placement) -> npt.NDArray[Any]:
    """A stored (Z, Y, X) array on the input's own grid; 0 outside the crop.

    Every voxel returns to where it came from; of a resampled volume each voxel takes the nearest one's
    value.
    """
    full, grid = np.zeros(placement.grid.size[::-1], array.dtype), placement.grid
    full[placement.box] = array
    if placement.is_resampled:
        grid = canonical_grid(placement.source)
        full = by_nearest(full, placement.grid, grid)
    return np.ascontiguousarray(turned(full, grid, placement.source))


def stored_part(mask: npt.NDArray[np.uint8], placement: Placement) -> npt.NDArray[np.uint8]:
    """A (Z, Y, X) mask on the input's own grid, 0 or 1, brought to the stored volume's grid."""
    if placement.is_resampled:
        grid = canonical_grid(placement.source)
        whole = turned(mask, placement.source, grid)
        return np.ascontiguousarray(by_nearest(whole, grid, placement.grid)[placement.box])
    return np.ascontiguousarray(turned(mask, placement.source, placement.grid)[placement.box])


def by_nearest(array: npt.NDArray[Any], grid: Geometry, target: Geometry) -> npt.NDArray[Any]:
    """(Z, Y, X) voxels of one grid as another with the same axes has them, each from the nearest voxel."""
    x, y, z = (_nearest(grid, target, axis) for axis in range(3))
    return array[np.ix_(z, y, x)]


def _nearest(grid: Geometry, target: Geometry, axis: int) -> npt.NDArray[np.intp]:
    """The number of a grid's voxel that is nearest to each of the target's, along x, y or z.

    Between two that are equally near, the target's voxels take turns: the outer, the inner, and so on from
    the middle, alike on both sides. Always the same one would move a mask by a part of a voxel.
    """
    count, last = target.size[axis], grid.size[axis] - 1
    begins = target.matrix[:, axis] @ np.subtract(target.origin, grid.origin)
    places = (begins + np.arange(count) * target.spacing[axis]) / grid.spacing[axis]
    lower = np.ceil(places - 0.5 - TIE).astype(np.intp)
    upper = np.floor(places + 0.5 + TIE).astype(np.intp)  # the same, but midway
    from_middle = np.arange(count) - (count - 1) / 2
    inwards = np.floor(np.abs(from_middle)) % 2 == 1
    return np.clip(np.where(inwards == (from_middle < 0), upper, lower), 0, last)


def canonical_grid(source: Geometry) -> Geometry:
    """A grid with its axes in the canonical order and directions."""
    import SimpleITK as sitk

    return geometry_of(sitk.DICOMOrient(to_sitk(np.zeros(source.size[::-1], np.uint8), source), CANONICAL))


def turned(array: npt.NDArray[Any], source: Geometry, target: Geometry) -> npt.NDArray[Any]:
    """(Z, Y, X) voxels of one grid as another has them, which differs in its axes' order and directions."""
    likeness = _likeness(source, target)
    flips = tuple(2 - int(axis) for axis in np.flatnonzero(likeness.sum(axis=0) < 0))
    order = np.abs(likeness).argmax(axis=1)
    return np.flip(array, flips).transpose([2 - int(order[2 - axis]) for axis in range(3)])


def _likeness(source: Geometry, target: Geometry) -> npt.NDArray[np.intp]:
    """3 x 3, a row for each of the target's axes (x, y, z): +1 or -1 where an axis of the source's went."""
    return np.rint(target.matrix.T @ source.matrix).astype(np.intp)
