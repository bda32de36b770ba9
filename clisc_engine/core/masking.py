"""AMDA's masks: the most discriminative region, or a random one of comparable area (section 2.1.2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from clisc_engine.core.averaging import gaussian_sums

Mask = npt.NDArray[np.bool_]

FAR = np.float32(0.01)
"""Weight of the wide average beside the narrow one, whose own weights are 1 amid the brain."""

TINY_WEIGHT = np.float32(1e-6)
"""Keeps a weight of nothing from dividing."""


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
    region = np.zeros(brain.shape, bool)
    area = min(area, int(brain.sum()))
    if area <= 0:
        return region
    noise = _smoothed(rng.standard_normal(brain.shape), max(1.0, area**0.5 / 2))
    inside = np.flatnonzero(brain)
    highest = np.argpartition(noise.ravel()[inside], -area)[-area:]
    region.ravel()[inside[highest]] = True
    return region


def _smoothed(values: npt.NDArray[np.float64], sigma: float) -> npt.NDArray[np.float64]:
    """SciPy's ``gaussian_filter`` of (Y, X), to rounding: a product of cosine transforms.

    Over a mirror image at half a pixel's distance, what a symmetric kernel does to a cosine is to scale it
    (Martucci, IEEE Trans. Signal Processing 1994), so that a wide kernel takes no longer.
    """
    from scipy import fft

    reach = np.arange(1, int(4 * sigma + 0.5) + 1)
    kernel = np.exp(-0.5 * (reach / sigma) ** 2)
    scales = [
        1 + 2 * np.cos(np.pi / side * np.outer(np.arange(side), reach)) @ kernel for side in values.shape
    ]
    scaled = fft.dctn(values) * np.outer(*scales) / (1 + 2 * kernel.sum()) ** 2
    smooth: npt.NDArray[np.float64] = fft.idctn(scaled)
    return smooth


def mask_out(
    slice_: npt.NDArray[np.uint8], region: Mask, value: int | npt.NDArray[np.uint8] = 0
) -> npt.NDArray[np.uint8]:
    """A copy of a slice (Y, X) with the region set to a value, or to those of another slice (Y, X)."""
    return np.where(region, value, slice_).astype(slice_.dtype)


def from_around(
    slice_: npt.NDArray[np.uint8], region: Mask, brain: Mask, sigma: Sequence[float]
) -> npt.NDArray[np.uint8]:
    """The slice (Y, X) as the brain around a region would have it there: without a border, without detail.

    Each pixel is the average of the brain's pixels outside of the region, by a Gaussian of their distance
    (normalised convolution: Knutsson and Westin, CVPR 1993); where these are far, one four times as wide
    takes over.

    Args:
        slice_: (Y, X).
        region: (Y, X), what is to be covered; what it covers has no part in the averages.
        brain: (Y, X) brain pixels.
        sigma: standard deviations (y, x) in pixels.

    Returns:
        (Y, X); 0 where no brain is left outside of the region.
    """
    known = brain & ~region
    if not known.any():
        return np.zeros_like(slice_)
    near, weight = gaussian_sums(slice_, known, sigma, mode="reflect")
    far, far_weight = gaussian_sums(slice_, known, [4 * width for width in sigma], mode="reflect")
    far /= np.maximum(far_weight, TINY_WEIGHT)
    found = (near + FAR * far) / (weight + FAR)
    return np.rint(np.clip(found, 0, 255)).astype(np.uint8)
