"""The box around a mask."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def bounding_box(mask: npt.NDArray[np.bool_]) -> tuple[slice, ...]:
    """The smallest box around a mask of any number of axes, which must not be empty: a slice an axis."""
    found = []
    for axis in range(mask.ndim):
        inside = np.flatnonzero(mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis)))
        found.append(slice(int(inside[0]), int(inside[-1]) + 1))
    return tuple(found)
