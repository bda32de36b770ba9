"""Texture of simulated tumours: another brain, warped and blurred.

As the original's, which calls torchio: RandomElasticDeformation with 7 control points an axis, the outer
two of them locked, and up to 7.5 mm; then RandomBlur with a standard deviation of up to 2 mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from clisc_engine.baselines.sim2real.brains import Array, Brain, Mask
from clisc_engine.core.boxes import bounding_box

CONTROL_POINTS, LOCKED = 7, 2
LARGEST_MOVE = 7.5
LARGEST_BLUR = 2.0


@dataclass(frozen=True)
class Source:
    """What textures are taken from.

    Attributes:
        image: (Z, Y, X) float32 without background: where there is no tissue, its mean.
        spacing: (z, y, x) in mm.
        box: (2, 3) first and last corner in mm of the tissue.
    """

    image: Array
    spacing: tuple[float, ...]
    box: npt.NDArray[np.float64]

    @classmethod
    def of(cls, brain: Brain, tissue: Mask | None = None) -> Source:
        """The brain's tissue, or that part of it; one of them must not be empty."""
        inside = brain.image != 0 if tissue is None else tissue
        box = bounding_box(inside)
        corners = np.array([[s.start for s in box], [s.stop - 1 for s in box]]) * np.array(brain.spacing)
        filled = np.where(inside, brain.image, brain.image[inside].mean()).astype(np.float32)
        return cls(filled, brain.spacing, corners)


def draw_texture(
    rng: np.random.Generator,
    source: Source,
    place: npt.NDArray[np.float64],
    around: npt.NDArray[np.float64],
    step: tuple[float, ...],
) -> Array:
    """A texture (Z, Y, X) on a small grid.

    Args:
        rng: of all draws.
        source: where it is from.
        place: (3,) position of its middle, as a share of the source's box along z, y and x.
        around: (3, Z, Y, X) mm from the middle of the small grid's voxels.
        step: (z, y, x) in mm of the small grid.
    """
    first, last = source.box
    points = around + (first + place * (last - first))[:, None, None, None]
    extent = np.array(source.image.shape) * np.array(source.spacing)
    moved = points + _displacement(rng, points, extent)
    indices = moved / np.array(source.spacing)[:, None, None, None]
    sampled = ndimage.map_coordinates(source.image, indices, order=1, mode="nearest")
    sigma = rng.uniform(0, LARGEST_BLUR)
    blurred: Array = ndimage.gaussian_filter(sampled, [sigma / side for side in step])
    return blurred


def _displacement(
    rng: np.random.Generator, points: npt.NDArray[np.float64], extent: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Displacement in mm of points (3, Z, Y, X), by cubic B-splines over a source of that extent."""
    moves = rng.uniform(-LARGEST_MOVE, LARGEST_MOVE, (3, *[CONTROL_POINTS] * 3))
    free = np.zeros([CONTROL_POINTS] * 3, bool)
    free[(slice(LOCKED, -LOCKED),) * 3] = True
    at = points / extent[:, None, None, None] * (CONTROL_POINTS - 1)
    return np.stack(
        [
            ndimage.map_coordinates(axis, at, order=3, mode="constant", prefilter=False)
            for axis in moves * free
        ]
    )


def brightened(texture: Array, mask: Mask, mean: float) -> Array:
    """The texture times a number, so that its mean over the mask (not empty) is ``mean``."""
    return (texture * np.float32(mean / max(float(texture[mask].mean(dtype=np.float64)), 1e-6))).astype(
        np.float32
    )
