"""Prompts for SAM from a region of interest in a slice (paper section 2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from clisc_engine.core.boxes import bounding_box
from clisc_engine.core.roi import Components

Mask = npt.NDArray[np.bool_]
Kind = Literal["both", "box", "points"]
Foreground = Literal["center", "bright5"]
FOREGROUND, BACKGROUND = 1, 0


@dataclass(frozen=True)
class Prompt:
    """One prompt to SAM, in pixels of the slice.

    Attributes:
        box: (x0, y0, x1, y1), the first and the last column and row inside; None without a box.
        points: (K, 2) float32, each (x, y).
        point_labels: (K,) int, 1 foreground or 0 background.
    """

    box: tuple[float, float, float, float] | None
    points: npt.NDArray[np.float32]
    point_labels: npt.NDArray[np.int64]

    def mirrored(self, width: int) -> Prompt:
        """The same prompt for the slice with its ``width`` columns in reverse."""
        last, points = width - 1, self.points.copy()
        points[:, 0] = last - points[:, 0]
        if self.box is None:
            return Prompt(None, points, self.point_labels)
        left, top, right, bottom = self.box
        return Prompt((last - right, top, last - left, bottom), points, self.point_labels)


def roi_prompts(
    roi: Mask,
    slice_: npt.NDArray[np.uint8],
    *,
    kind: Kind = "both",
    foreground: Foreground = "center",
    dilation: int = 10,
    per_component: bool = False,
    rng: np.random.Generator | None = None,
) -> list[Prompt]:
    """Prompts for one slice: the region's box, foreground points, and the box's corners.

    Args:
        roi: (Y, X) region of interest.
        slice_: (Y, X) uint8 intensities, looked at by ``bright5`` only.
        kind: box, points, or both together.
        foreground: the box's centre, or five of the brighter half of the region's pixels.
        dilation: pixels by which the box grows on each side, clipped to the slice.
        per_component: one prompt a connected component, largest first, instead of one in all.
        rng: draws the five bright pixels; seed 0 when None.

    Returns:
        No prompt for an empty region.
    """
    if not roi.any():
        return []
    rng = rng or np.random.default_rng(0)
    regions = _components(roi) if per_component else [roi]
    return [_prompt(region, slice_, kind, foreground, dilation, rng) for region in regions]


def _prompt(
    region: Mask,
    slice_: npt.NDArray[np.uint8],
    kind: Kind,
    foreground: Foreground,
    dilation: int,
    rng: np.random.Generator,
) -> Prompt:
    box = _box(region, dilation)
    if kind == "box":
        return Prompt(box, np.zeros((0, 2), np.float32), np.zeros(0, np.int64))
    x0, y0, x1, y1 = box
    inside = (
        _bright_pixels(region, slice_, rng) if foreground == "bright5" else [((x0 + x1) / 2, (y0 + y1) / 2)]
    )
    corners = [(x0, y0), (x1, y0), (x0, y1), (x1, y1)]
    points = np.array([*inside, *corners], np.float32)
    labels = np.array([FOREGROUND] * len(inside) + [BACKGROUND] * len(corners), np.int64)
    return Prompt(box if kind == "both" else None, points, labels)


def _box(region: Mask, dilation: int) -> tuple[float, float, float, float]:
    """The region's box as SAM takes it, grown by ``dilation`` and clipped to the slice."""
    rows, columns = bounding_box(region)
    height, width = region.shape
    return (
        float(max(columns.start - dilation, 0)),
        float(max(rows.start - dilation, 0)),
        float(min(columns.stop - 1 + dilation, width - 1)),
        float(min(rows.stop - 1 + dilation, height - 1)),
    )


def _bright_pixels(
    region: Mask, slice_: npt.NDArray[np.uint8], rng: np.random.Generator
) -> list[tuple[float, float]]:
    rows, columns = np.nonzero(region & (slice_ >= np.median(slice_[region])))
    chosen = rng.choice(len(rows), size=min(5, len(rows)), replace=False)
    return [(float(columns[i]), float(rows[i])) for i in np.sort(chosen)]


def _components(roi: Mask) -> list[Mask]:
    """The connected components (8-neighbourhood), largest first."""
    found = Components.of(roi)
    return [found.number(1 + int(i)) for i in np.argsort(-found.sizes[1:], kind="stable")]
