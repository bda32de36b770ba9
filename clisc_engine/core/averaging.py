"""Gaussian averages over part of a volume, which what lies outside of it does not dim."""

from __future__ import annotations

from collections.abc import Sequence

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
    from scipy import ndimage

    total, weight = (
        ndimage.gaussian_filter(part.astype(np.float32), sigma, mode="constant")
        for part in (values * where, where)
    )
    found: npt.NDArray[np.float32] = np.where(where, total / np.maximum(weight, np.float32(1e-6)), 0)
    return found
