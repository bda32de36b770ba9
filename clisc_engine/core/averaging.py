"""Gaussian averages over part of a volume, which what lies outside of it does not dim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt


def averaged_within(
    values: npt.NDArray[np.floating], where: npt.NDArray[np.bool_], sigma: Sequence[float]
) -> npt.NDArray[np.float32]:
    """Each voxel averaged with those around it that lie in the same part, by a Gaussian of their distance.

    Args:
        values: (Z, Y, X).
        where: (Z, Y, X), the part.
        sigma: standard deviations (z, y, x) in voxels; 0 averages along no such axis.

    Returns:
        (Z, Y, X), 0 outside of the part.
    """
    total, weight = gaussian_sums(values, where, sigma, mode="constant")
    found: npt.NDArray[np.float32] = np.where(where, total / np.maximum(weight, np.float32(1e-6)), 0)
    return found


def gaussian_sums(
    values: npt.NDArray[Any],
    where: npt.NDArray[np.bool_],
    sigma: Sequence[float],
    *,
    mode: Literal["constant", "reflect"],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Gaussian sums of a part's values, and of their weights: normalised convolution divides the two.

    Args:
        values: of any shape.
        where: of the same, the part.
        sigma: standard deviations in voxels, one an axis.
        mode: what lies beyond the border, as SciPy names it: nothing, or the mirror image.
    """
    from scipy import ndimage

    total, weight = (
        ndimage.gaussian_filter(part.astype(np.float32), sigma, mode=mode)
        for part in (values * where, where)
    )
    return total, weight
