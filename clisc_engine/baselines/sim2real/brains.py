"""Brains on the grid that the network sees: the whole box of each resized to the same number of voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine.models.unet import at_spacing

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

NO_SIGNAL = 4.0
"""Added to z-scores, so that intensities are positive and a factor on their mean is a contrast: no signal
lies 2.6 to 3.9 standard deviations under a FLAIR brain's mean."""
FAINTEST = 0.05
"""What brain of less intensity than that gets, since 0 is background."""


@dataclass(frozen=True)
class Brain:
    """A volume on the network's grid.

    Attributes:
        image: (Z, Y, X) float32; brain over 0, on average about `NO_SIGNAL`, background 0.
        normal: (Z,) bool, the slices that count as normal.
        spacing: (z, y, x) in mm of this grid.
    """

    image: Array
    normal: Mask
    spacing: tuple[float, ...]

    @property
    def normal_slices(self) -> npt.NDArray[np.intp]:
        """Numbers of the slices that hold brain and count as normal."""
        return np.flatnonzero(self.normal & (self.image != 0).any(axis=(1, 2)))

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel."""
        return float(np.prod(self.spacing)) / 1000


def on_grid(image: npt.NDArray[Any], normal: Mask, spacing: Sequence[float], grid: Sequence[int]) -> Brain:
    """A stored image (Z, Y, X), z-scored and 0 outside the brain, resized to ``grid`` (Z, Y, X) voxels.

    Interpolation is over the brain alone, so that its border does not darken. A slice of the grid is normal
    if all slices of the image that it is interpolated from are.

    Args:
        image: stored image.
        normal: (Z,) which of its slices are normal.
        spacing: (z, y, x) in mm of the image.
        grid: voxels of the result.
    """
    brain = image != 0
    wanted = tuple(n * side / new for n, side, new in zip(image.shape, spacing, grid, strict=True))
    shifted = np.where(brain, np.maximum(image.astype(np.float32) + NO_SIGNAL, FAINTEST), 0)
    share = at_spacing(brain, spacing, wanted)
    found = np.where(share > 0.5, at_spacing(shifted, spacing, wanted) / np.maximum(share, 0.5), 0)
    heights = (np.arange(grid[0]) + 0.5) * len(normal) / grid[0] - 0.5
    return Brain(found.astype(np.float32), all_normal(normal, heights), wanted)


def all_normal(normal: Mask, heights: npt.NDArray[np.float64]) -> Mask:
    """Whether both slices beside each height (in slices, from the first one's centre) are normal."""
    last = len(normal) - 1
    below = np.clip(np.floor(heights), 0, last).astype(int)
    above = np.clip(np.ceil(heights), 0, last).astype(int)
    return normal[below] & normal[above]


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of a volume's brain."""

    mean: float
    std: float

    @classmethod
    def of(cls, image: Array) -> Scale:
        """That of the voxels (Z, Y, X) that are not 0."""
        voxels = image[image != 0].astype(np.float64)
        if voxels.size == 0:
            return cls(0.0, 1.0)
        return cls(float(voxels.mean()), max(float(voxels.std()), 1e-6))

    def apply(self, image: Array, where: Mask) -> Array:
        """(Z, Y, X) z-scores where ``where`` holds, 0 elsewhere."""
        return np.where(where, (image - np.float32(self.mean)) / np.float32(self.std), 0).astype(np.float32)

    def undo(self, scores: Array) -> Array:
        """(Z, Y, X) intensities of z-scores; at least `FAINTEST`."""
        return np.maximum(scores * np.float32(self.std) + np.float32(self.mean), np.float32(FAINTEST))
