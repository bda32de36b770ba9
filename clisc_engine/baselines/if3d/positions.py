"""Positions in the brain's box, and their Fourier features."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def positions(index: npt.NDArray[np.integer], shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """The positions (N, 3), in (-1, 1) along z, y and x, of voxels by their flat index (N,).

    A voxel's centre counts, so a grid's resolution does not move it. (The original scales index / size in
    training and spreads -1 to 1 over the grid when it maps, up to a voxel apart; ours is one formula.)
    """
    where = np.stack(np.unravel_index(index, shape), axis=1)
    return ((2 * where + 1) / np.array(shape) - 1).astype(np.float32)


def fourier_features(points: Tensor, frequencies: int) -> Tensor:
    """The features (..., 6 F) of positions (..., 3): sin, then cos, of 2^k pi x for k = 0 to F - 1.

    The raw coordinates are not among them.
    """
    scales = torch.pi * 2.0 ** torch.arange(frequencies, device=points.device, dtype=points.dtype)
    angles = (points[..., None] * scales).flatten(-2)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
