"""Prompts for training the tiny SAM, as rough as the ones that CAMs give."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Kind = Literal["both", "box", "points"]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class RoughPrompt:
    """A box (x0, y0, x1, y1), points (K, 2) as x, y with labels (K,), and what SAM should answer."""

    box: NDArray[np.float32]
    points: NDArray[np.float32]
    labels: NDArray[np.int64]
    answer: Booleans


def blob(rng: np.random.Generator, shape: tuple[int, int]) -> Booleans:
    """A smooth random region of random size."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    centre = rng.uniform(0.2, 0.8, 2) * shape
    radii = rng.uniform(3, 26, 2)
    inside = ((rows - centre[0]) / radii[0]) ** 2 + ((columns - centre[1]) / radii[1]) ** 2
    return np.asarray(inside < 1)


def rough_roi(rng: np.random.Generator, mask: Booleans) -> Booleans:
    """What a class activation map might make of the tumour ``mask`` (non-empty)."""
    kind = rng.random()
    if kind < 0.3:
        return mask
    if kind < 0.85:  # blurred, unevenly weighted, thresholded: too big, too small, shifted
        weight = mask.astype(np.float32)
        weight *= 0.4 + ndimage.zoom(rng.random((4, 4)).astype(np.float32), mask.shape[0] / 4, order=1)
        soft = ndimage.gaussian_filter(weight, rng.uniform(2.0, 11.0))
        soft = np.roll(soft, rng.integers(-4, 5, 2), (0, 1))
        return np.asarray(soft > rng.uniform(0.15, 0.75) * soft.max())
    rows, columns = np.nonzero(mask)
    centre = int(rng.integers(len(rows)))
    reach = rng.uniform(0.25, 0.9) * np.sqrt(mask.sum())
    grid = np.ogrid[: mask.shape[0], : mask.shape[1]]
    near = (grid[0] - rows[centre]) ** 2 + (grid[1] - columns[centre]) ** 2 <= reach**2 + 2
    return np.asarray(mask & near)


def rough_prompt(
    rng: np.random.Generator,
    grey: NDArray[np.float32],
    mask: Booleans,
    brain: Booleans,
    bright: bool,
) -> RoughPrompt | None:
    """A prompt for one square slice; on a slice without tumour the right answer is nothing.

    ``bright`` takes five of the brighter ROI pixels as foreground instead of the box centre.
    """
    size = mask.shape[0]
    roi = (rough_roi(rng, mask) if mask.any() else blob(rng, (size, size))) & brain
    if not roi.any():
        return None
    rows, columns = np.nonzero(roi)
    low = np.array([columns.min(), rows.min()], np.float32)
    high = np.array([columns.max(), rows.max()], np.float32)
    jitter = rng.normal(0, 0.06, 4).astype(np.float32) * np.tile(high - low, 2) * (rng.random() < 0.6)
    grow = rng.uniform(0, 10)
    box = np.concatenate([low - grow, high + grow]) + jitter
    box = np.clip(box, 0, size - 1).astype(np.float32)
    x0, y0, x1, y1 = box
    if bright:
        values = grey[rows, columns]
        brighter = np.flatnonzero(values >= np.median(values))
        chosen = rng.choice(brighter, 5, replace=len(brighter) < 5)
        ahead = np.stack([columns[chosen], rows[chosen]], 1)
    else:
        ahead = np.array([[(x0 + x1) / 2, (y0 + y1) / 2]])
    corners = np.array([[x0, y0], [x1, y0], [x0, y1], [x1, y1]])
    points = np.concatenate([ahead, corners]).astype(np.float32)
    labels = np.array([1] * len(ahead) + [0] * 4, np.int64)
    return RoughPrompt(box, points, labels, touched(mask, box))


def touched(mask: Booleans, box: NDArray[np.float32]) -> Booleans:
    """The connected parts of ``mask`` that the box holds a fair piece of."""
    parts, count = ndimage.label(mask, np.ones((3, 3)))
    if count == 0:
        return mask
    x0, y0, x1, y1 = np.round(box).astype(int)
    held = np.bincount(parts[y0 : y1 + 1, x0 : x1 + 1].ravel(), minlength=count + 1)
    whole = np.bincount(parts.ravel(), minlength=count + 1)
    keep = held >= np.maximum(1, 0.2 * whole)
    keep[0] = False
    return np.asarray(keep[parts])
