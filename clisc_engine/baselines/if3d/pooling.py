"""From the improbability of voxels to a map: min-pooling, then average-pooling, in boxes of so many mm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage


def odd_sides(mm: float, spacing: Sequence[float]) -> tuple[int, ...]:
    """The sides of a box of ``mm`` in voxels of ``spacing`` mm: the nearest odd numbers, 1 at least."""
    return tuple(2 * max(0, round((mm / step - 1) / 2)) + 1 for step in spacing)


def pooled(
    volume: npt.NDArray[np.float32], spacing: Sequence[float], min_mm: float, mean_mm: float
) -> npt.NDArray[np.float32]:
    """A volume (Z, Y, X), nowhere negative, after min- and then average-pooling in boxes of these sides.

    Beyond the border lies 0, which counts (so it does in the original's average; its minimum ignores the
    border, which lay in air).
    """
    least = ndimage.minimum_filter(volume, odd_sides(min_mm, spacing), mode="constant")
    mean = ndimage.uniform_filter(least, odd_sides(mean_mm, spacing), mode="constant")
    return mean.clip(0).astype(np.float32)  # its running sums leave tiny negative numbers
