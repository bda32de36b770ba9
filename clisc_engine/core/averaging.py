"""Gaussian averages over part of a volume, which what lies outside of it does not dim."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Mode: TypeAlias = Literal["constant", "reflect"]
"""What lies beyond the border, as SciPy names it: nothing, or the mirror image."""


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
    mode: Mode,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Gaussian sums of a part's values, and of their weights: normalised convolution divides the two.

    Args:
        values: of any shape.
        where: of the same, the part.
        sigma: standard deviations in voxels, one an axis.
        mode: what lies beyond the border.
    """
    total, weight = (_gaussian(part.astype(np.float32), sigma, mode) for part in (values * where, where))
    return total, weight


def _gaussian(
    values: npt.NDArray[np.float32], sigma: Sequence[float], mode: Mode
) -> npt.NDArray[np.float32]:
    """SciPy's Gaussian filter, by a matrix product along each axis: a wide one takes no longer."""
    for axis, (side, width) in enumerate(zip(values.shape, sigma, strict=True)):
        if width > 0:
            product = np.tensordot(_weights(side, width, mode), values, (1, axis))
            values = np.moveaxis(product, 0, axis)
    return values


@functools.lru_cache(maxsize=32)
def _weights(side: int, sigma: float, mode: Mode) -> npt.NDArray[np.float32]:
    """(N, N): what each of N samples, the second index, counts at each place, the first."""
    from scipy import ndimage

    found: npt.NDArray[np.float64] = ndimage.gaussian_filter1d(np.eye(side), sigma, axis=0, mode=mode)
    return found.astype(np.float32)
