"""Prediction of a volume window by window, the windows' outcomes blended by a Gaussian.

The windows, their weights and the order of sums are those of MONAI's ``sliding_window_inference`` with
``mode="gaussian"``, so that masks are the same to the bit; tests compare them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

SIGMA = 0.125
"""Of the Gaussian, in sides of the window."""

LEAST_WEIGHT = 1e-3
"""The corners' weight is not less: their outcome is divided by it where no other window lies."""


def in_windows(
    volume: Tensor, window: Sequence[int], at_once: int, predict: Callable[[Tensor], Tensor], overlap: float
) -> Tensor:
    """What ``predict`` makes of a volume (1, C, Z, Y, X), of the same size, one channel.

    Args:
        volume: padded with 0 on both sides where it is smaller than the window.
        window: (z, y, x) in voxels.
        at_once: windows in a batch.
        predict: from windows (B, C, z, y, x) to (B, 1, z, y, x).
        overlap: of neighbouring windows, in [0, 1).
    """
    size = volume.shape[2:]
    lacking = [max(side - n, 0) for side, n in zip(window, size, strict=True)]
    before = [count // 2 for count in lacking]
    if any(lacking):
        sides = zip(before[::-1], lacking[::-1], strict=True)
        volume = functional.pad(volume, [part for half, n in sides for part in (half, n - half)])
    places = _places(volume.shape[2:], window, overlap)
    weight = _weight(window, volume.device, volume.dtype)
    total = torch.zeros((1, 1, *volume.shape[2:]), dtype=volume.dtype, device=volume.device)
    count = torch.zeros_like(total)
    for place in places:
        count[place] += weight
    for start in range(0, len(places), at_once):
        batch = places[start : start + at_once]
        found = predict(torch.cat([volume[place] for place in batch])) * weight
        for place, one in zip(batch, found, strict=True):
            total[place] += one
    total /= count
    low_z, low_y, low_x = before
    z, y, x = size
    return total[:, :, low_z : low_z + z, low_y : low_y + y, low_x : low_x + x]


def _places(size: Sequence[int], window: Sequence[int], overlap: float) -> list[tuple[slice, ...]]:
    """Where the windows lie: a fixed step apart, but for the last ones along an axis, which end with it."""
    axes = []
    for length, side in zip(size, window, strict=True):
        step = side if side == length else max(1, int(side * (1 - overlap)))
        count = max(0, -(-(length - side) // step)) + 1
        starts = [min(number * step, length - side) for number in range(count)]
        axes.append([slice(start, start + side) for start in starts])
    whole = slice(None)
    return [(whole, whole, *place) for place in itertools.product(*axes)]


def _weight(window: Sequence[int], device: torch.device, dtype: torch.dtype) -> Tensor:
    """The Gaussian (1, 1, z, y, x) of a window."""
    weight = torch.ones((), device=device)
    for side in window:
        middle = (side - 1) / 2.0
        x = torch.arange(-middle, middle + 1, dtype=torch.float, device=device)
        weight = weight[..., None] * torch.exp(x**2 / (-2 * (side * SIGMA) ** 2))
    return weight.clamp(min=max(float(weight.min()), LEAST_WEIGHT)).to(dtype)[None, None]
