"""Which part of a slice CLIP takes for the tumour: pure functions of arrays."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from clisc_engine.core.boxes import bounding_box
from clisc_engine.imaging.window import square

Masks = npt.NDArray[np.bool_]


def plausible(masks: Masks, brain: Masks, *, min_pixels: int, inside: float, max_area: float) -> Masks:
    """Which of the parts may be a tumour, by their place and size alone.

    Args:
        masks: (N, Y, X), one part each.
        brain: (Y, X).
        min_pixels: fewest pixels.
        inside: least share of the part within the brain.
        max_area: largest area, as a share of the brain's.

    Returns:
        (N,), one flag a part.
    """
    area = masks.sum(axis=(1, 2))
    within = (masks & brain).sum(axis=(1, 2))
    return (area >= max(min_pixels, 1)) & (within >= inside * area) & (area <= max_area * brain.sum())


def in_order(masks: Masks) -> Masks:
    """The same parts (N, Y, X), largest first, equal sizes by their pixels: whatever order they come in."""
    order = sorted(range(len(masks)), key=lambda n: (-int(masks[n].sum()), masks[n].tobytes()))
    return masks[order]


def crops(slice_: npt.NDArray[np.uint8], masks: Masks, size: int) -> npt.NDArray[np.uint8]:
    """Each part alone on black, cut to its box, padded to a square and resized to (N, size, size)."""
    found = np.zeros((len(masks), size, size), np.uint8)
    for index, mask in enumerate(masks):
        box = bounding_box(mask)
        found[index] = square(np.where(mask, slice_, np.uint8(0))[box][None], size)[0]
    return found


def best(cosines: npt.NDArray[np.float32], rank: Literal["tumour", "margin"]) -> int:
    """The part that CLIP prefers, the first of equals.

    Args:
        cosines: (N, 2) of each part with the prompts of the classes normal and tumour, N at least 1.
        rank: ``tumour`` by that cosine (SaLIP), ``margin`` by its lead over the other.
    """
    lead = cosines[:, 1] - cosines[:, 0] if rank == "margin" else cosines[:, 1]
    return int(np.argmax(lead))
