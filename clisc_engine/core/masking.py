"""AMDA's masks: the most discriminative region, or a random one of comparable area (section 2.1.2)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


def discriminative_region(cam: npt.NDArray[np.floating], brain: Mask, t: float) -> Mask:
    """Pixels of the brain whose activation exceeds the (100 - t)-th percentile over the brain.

    These are t percent of the brain's pixels, to a pixel; fewer where activations are equal or 0.

    Args:
        cam: (Y, X) in [0, 1].
        brain: (Y, X) brain pixels.
        t: percentage in [0, 100); 0 gives an empty region.
    """
    if t == 0 or not brain.any():
        return np.zeros(cam.shape, bool)
    threshold = np.percentile(cam[brain], 100 - t)
    return np.asarray(brain & (cam > max(float(threshold), 0.0)))


def random_region(brain: Mask, area: int, rng: np.random.Generator) -> Mask:
    """A blob-like random region of exactly ``area`` pixels (or all) inside the brain.

    The pixels where smoothed white noise is highest; its smoothness grows with the area, so that
    regions look like lesions rather than like grains.
    """
    from scipy import ndimage

    region = np.zeros(brain.shape, bool)
    area = min(area, int(brain.sum()))
    if area <= 0:
        return region
    noise = ndimage.gaussian_filter(rng.standard_normal(brain.shape), max(1.0, area**0.5 / 2))
    inside = np.flatnonzero(brain)
    highest = np.argpartition(noise.ravel()[inside], -area)[-area:]
    region.ravel()[inside[highest]] = True
    return region


def mask_out(slice_: npt.NDArray[np.uint8], region: Mask, value: int = 0) -> npt.NDArray[np.uint8]:
    """A copy of a slice (Y, X) with the region set to a value."""
    return np.where(region, value, slice_).astype(slice_.dtype)
