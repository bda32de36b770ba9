"""From normalised volumes to the 8-bit, square slices that the 2-D networks see."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine.core.brain import brain_of

Slices = npt.NDArray[np.uint8]


def window_to_uint8(image: npt.NDArray[Any], low_percentile: float, high_percentile: float) -> Slices:
    """Grey values 1 to 255 between two percentiles of the volume's brain voxels; background 0.

    Args:
        image: (Z, Y, X) or (Y, X), background exactly 0.
        low_percentile: in [0, 100), shown as 1.
        high_percentile: in (0, 100], shown as 255.
    """
    brain = brain_of(image)
    if not brain.any():
        return np.zeros(image.shape, np.uint8)
    values = image[brain].astype(np.float32, copy=False)
    low, high = np.percentile(values, [low_percentile, high_percentile])
    scaled = (values - low) / max(float(high - low), 1e-6)
    slices = np.zeros(image.shape, np.uint8)
    slices[brain] = np.rint(1 + 254 * np.clip(scaled, 0, 1))
    return slices


def equalise(slice_: Slices) -> Slices:
    """Histogram equalisation over the brain's pixels of (Y, X); background stays 0."""
    counts = np.bincount(slice_[slice_ > 0], minlength=256)
    if counts.sum() == 0:
        return slice_
    share = np.cumsum(counts) / counts.sum()
    table = np.rint(1 + 254 * share).astype(np.uint8)
    table[0] = 0
    return table[slice_]


def square(slices: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """(N, Y, X) slices padded to squares, centred, and resized to (N, size, size), bilinear."""
    n, height, width = slices.shape
    if n == 0:
        return np.zeros((0, size, size), slices.dtype)
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    padded = np.zeros((n, side, side), np.float32)
    padded[:, top : top + height, left : left + width] = slices
    resized = _resized(padded, size)
    if slices.dtype == np.uint8:
        resized = np.rint(np.clip(resized, 0, 255))
    return resized.astype(slices.dtype)


def unsquare(maps: npt.NDArray[np.float32], shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """(N, size, size) maps back on slices of (Y, X) = ``shape``: the way back of `square`."""
    height, width = shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return _resized(maps, side)[:, top : top + height, left : left + width]


def _resized(squares: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """(N, S, S) squares resized to (N, size, size), bilinear."""
    import torch
    from torch.nn import functional

    found: npt.NDArray[np.float32] = functional.interpolate(
        torch.from_numpy(np.ascontiguousarray(squares, np.float32))[:, None],
        size=(size, size),
        mode="bilinear",
        align_corners=False,
        antialias=size < squares.shape[1],
    )[:, 0].numpy()
    return found
