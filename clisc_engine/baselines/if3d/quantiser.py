"""From intensities to classes: scaling, k-means centres, the nearest centre and the mode filter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Floats = npt.NDArray[np.float32]
Classes = npt.NDArray[np.uint8]

MOST_ROUNDS = 200


def scaled(image: Floats, low: float, high: float) -> Floats:
    """A stored image (Z, Y, X), its brain clipped at two percentiles and brought to [0, 1].

    Background, which is 0 in a stored image, stays 0. The percentiles are of the brain's voxels (the
    original's, of the voxels that are not 0).
    """
    brain = image != 0
    bottom, top = np.percentile(image[brain], (low, high))
    span = max(float(top - bottom), float(np.finfo(np.float32).tiny))
    return np.where(brain, np.clip((image - bottom) / span, 0, 1), 0).astype(np.float32)


def fit_centres(values: Floats, classes: int) -> Floats:
    """The centres (classes,) of k-means in one dimension, ascending, by Lloyd's algorithm.

    It starts from quantiles, so nothing is drawn; a centre that no value is nearest to stays.

    Args:
        values: (N,) intensities, at least one.
        classes: how many centres.
    """
    ordered = np.sort(values.astype(np.float64))
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    centres = np.quantile(ordered, (np.arange(classes) + 0.5) / classes)
    for _ in range(MOST_ROUNDS):
        # In one dimension a class is an interval that ends midway to the next centre.
        ends = np.searchsorted(ordered, (centres[1:] + centres[:-1]) / 2, side="right")
        bounds = np.concatenate([[0], ends, [len(ordered)]])
        counts = np.diff(bounds)
        means = np.diff(sums[bounds]) / np.maximum(counts, 1)
        moved = np.where(counts > 0, means, centres)
        if np.allclose(moved, centres, rtol=0, atol=1e-7):
            break
        centres = moved
    return centres.astype(np.float32)


def nearest(values: Floats, centres: Floats) -> Classes:
    """The number of the centre nearest to each value; of two that are equally near, the lower."""
    midpoints = (centres[1:].astype(np.float64) + centres[:-1]) / 2
    return np.searchsorted(midpoints, values, side="left").astype(np.uint8)


def mode_filtered(classes: Classes, brain: npt.NDArray[np.bool_], sides: Sequence[int]) -> Classes:
    """The most frequent class of the brain in a box of ``sides`` voxels about each voxel.

    Of classes that are equally frequent a voxel keeps its own, else it takes the lowest. A box of an even
    side reaches one voxel farther down than up. Background counts for no class.

    Args:
        classes: (Z, Y, X).
        brain: (Z, Y, X), where ``classes`` means anything.
        sides: along (z, y, x); 1 everywhere changes nothing.
    """
    if all(side == 1 for side in sides):
        return classes
    best, found = np.full(classes.shape, -1, np.int32), classes.copy()
    for number in np.unique(classes[brain]):
        own = (classes == number) & brain
        votes = own.astype(np.int32)
        for axis, side in enumerate(sides):
            votes = ndimage.correlate1d(votes, np.ones(side, np.int32), axis=axis, mode="constant")
        votes = 2 * votes + own
        better = votes > best
        best[better], found[better] = votes[better], number
    return np.where(brain, found, classes)
