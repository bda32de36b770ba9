"""The box around a mask."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Box = tuple[slice, ...]


def bounding_box(mask: npt.NDArray[np.bool_]) -> Box:
    """The smallest box around a mask of any number of axes, which must not be empty: a slice an axis."""
    found: list[slice] = []
    for axis in range(mask.ndim):
        left = mask[tuple(found)]
        inside = np.flatnonzero(left.any(axis=tuple(a for a in range(mask.ndim) if a != axis)))
        found.append(slice(int(inside[0]), int(inside[-1]) + 1))
    return tuple(found)


def filled(shape: tuple[int, ...], box: Box, inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """A mask of that shape that is empty but for what a box holds."""
    mask = np.zeros(shape, bool)
    mask[box] = inside
    return mask


def moved(box: Box, by: Iterable[int]) -> Box:
    """A box that lies so many voxels further along each axis."""
    return tuple(slice(side.start + far, side.stop + far) for side, far in zip(box, by, strict=True))
