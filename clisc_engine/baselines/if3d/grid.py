"""The grid on which the field is learned and asked: voxels of about 1.5 mm over the stored crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clisc_engine.baselines.if3d.quantiser import Classes, Floats, mode_filtered, nearest, scaled
from clisc_engine.models.unet import at_spacing
from clisc_engine.settings.baselines.if3d import If3dSettings

TINIEST_SHARE = 0.5
"""A voxel of the grid is brain where at least this share of it is."""


@dataclass(frozen=True)
class Grid:
    """A volume on the field's grid.

    Attributes:
        values: (Z, Y, X) intensities in [0, 1], 0 outside the brain.
        brain: (Z, Y, X).
        spacing: (z, y, x) in mm.
    """

    values: Floats
    brain: npt.NDArray[np.bool_]
    spacing: tuple[float, float, float]

    def classes(self, centres: Floats, settings: If3dSettings) -> Classes:
        """The class (Z, Y, X) of each voxel, after the mode filter; 0 outside the brain."""
        found = np.where(self.brain, nearest(self.values, centres), 0).astype(np.uint8)
        sides = [max(1, round(settings.mode_filter_mm / step)) for step in self.spacing]
        return mode_filtered(found, self.brain, sides)


def on_grid(image: Floats, spacing: Sequence[float], settings: If3dSettings) -> Grid:
    """A stored image (Z, Y, X) of ``spacing`` (z, y, x) mm on the field's grid.

    Axes are made coarser where they are finer than the grid, never finer. The rim of the brain has the
    intensities of brain alone.
    """
    wanted = [
        max(mm, settings.grid_mm, n * mm / settings.grid_side)
        for n, mm in zip(image.shape, spacing, strict=True)
    ]
    whole = scaled(image, settings.clip_low, settings.clip_high)
    share = at_spacing(image != 0, spacing, wanted)
    brain = share >= TINIEST_SHARE
    values = np.divide(at_spacing(whole, spacing, wanted), share, out=np.zeros_like(share), where=brain)
    z, y, x = (n * mm / m for n, mm, m in zip(image.shape, spacing, brain.shape, strict=True))
    return Grid(values.clip(0, 1), brain, (z, y, x))


def slices_on_grid(normal: npt.NDArray[np.bool_], slices: int) -> npt.NDArray[np.bool_]:
    """Which of a grid's slices are normal (slices,): those that overlap normal ones (Z,) alone."""
    edges = np.arange(slices + 1) * len(normal) / slices
    first, last = np.floor(edges[:-1] + 1e-9).astype(int), np.ceil(edges[1:] - 1e-9).astype(int)
    return np.array([normal[a:b].all() for a, b in zip(first, last, strict=True)], bool)
