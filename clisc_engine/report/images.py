"""Slices on a report's pixel grid, and arrays of slices as compact pictures inside a page."""

from __future__ import annotations

import base64
import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from clisc_engine.results.layers import HEAT_COLOURS, heat_alpha

LONGEST = 192
"""Pixels of a slice's longer side, at most; most brains have fewer at 1 mm."""

COLUMNS = 12
"""Slices side by side in a sheet."""

Mask = npt.NDArray[np.bool_]
Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Grid:
    """Square pixels on which a case's slices are shown.

    Attributes:
        width: in pixels.
        height: in pixels.
        across: shown pixels for each pixel of the stored image, along X.
        down: the same along Y.
    """

    width: int
    height: int
    across: float
    down: float

    @classmethod
    def of(cls, shape: tuple[int, int], aspect: float, longest: int = LONGEST) -> Grid:
        """The grid of (Y, X) slices whose pixels are ``aspect`` times as high as they are wide."""
        height, width = shape[0] * max(aspect, 1.0), shape[1] * max(1 / aspect, 1.0)
        scale = min(1.0, longest / max(height, width))
        shown = max(1, round(width * scale)), max(1, round(height * scale))
        return cls(*shown, shown[0] / shape[1], shown[1] / shape[0])

    def grey(self, slice_: Grey) -> Grey:
        """A (Y, X) uint8 slice on this grid."""
        shown = Image.fromarray(slice_).resize((self.width, self.height), Image.Resampling.BOX)
        return np.asarray(shown)

    def mask(self, mask: Mask) -> Mask:
        """A (Y, X) mask on this grid: pixels of which at least half lie inside."""
        return self.grey(mask.astype(np.uint8) * 255) >= 128

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Where the centre of a stored pixel lies, in units of shown pixels from the upper left corner."""
        return round((x + 0.5) * self.across, 1), round((y + 0.5) * self.down, 1)


def outline(mask: Mask) -> str:
    """The border of a (Y, X) mask as an SVG path along pixel edges; empty for an empty mask."""
    padded = np.pad(mask, 1).astype(np.int8)
    parts: list[str] = []
    for edges, command in ((np.diff(padded, axis=0)[:, 1:-1], "h"), (np.diff(padded, axis=1)[1:-1].T, "v")):
        for line in np.flatnonzero((edges != 0).any(axis=1)).tolist():
            for start, length in _runs(edges[line] != 0):
                x, y = (start, line) if command == "h" else (line, start)
                parts.append(f"M{x} {y}{command}{length}")
    return "".join(parts)


def heat(grey: Grey) -> str:
    """A (Y, X) uint8 map, 255 standing for 1, as a coloured picture that is clear where the map is 0."""
    colours = np.array(heat_colours(), np.uint8)[grey]
    alpha = np.rint(255 * heat_alpha(grey / 255)).astype(np.uint8)
    return picture(np.dstack([colours, alpha]), quality=60)


@functools.cache
def heat_colours() -> list[list[int]]:
    """The 256 colours of a map, (R, G, B) in 0 to 255."""
    from matplotlib import colormaps

    table = np.rint(colormaps[HEAT_COLOURS](np.arange(256))[:, :3] * 255).astype(int)
    found: list[list[int]] = table.tolist()
    return found


def picture(pixels: npt.NDArray[np.uint8], quality: int = 72) -> str:
    """Grey (Y, X), colour (Y, X, 3) or colour with transparency (Y, X, 4) as the address of a WebP."""
    return _address(Image.fromarray(pixels), "webp", quality=quality, method=4)


def grey_sheet(slices: Sequence[Grey]) -> str:
    """Slices in rows of `COLUMNS` as one picture."""
    return picture(_tiled(slices), quality=62)


def mask_sheet(masks: Sequence[Mask]) -> str:
    """Masks in rows of `COLUMNS` as one picture of a bit a pixel; exact."""
    return _address(Image.fromarray(_tiled(masks)), "png", optimize=True)


def _tiled(slices: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    height, width = slices[0].shape
    rows = -(-len(slices) // COLUMNS)
    sheet = np.zeros((rows * height, min(COLUMNS, len(slices)) * width), slices[0].dtype)
    for index, slice_ in enumerate(slices):
        row, column = divmod(index, COLUMNS)
        sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = slice_
    return sheet


def _address(image: Image.Image, kind: str, **options: Any) -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _runs(line: Mask) -> list[tuple[int, int]]:
    """Start and length of each run of true values."""
    changes = np.flatnonzero(np.diff(np.concatenate([[False], line, [False]]).astype(np.int8)))
    return [(int(start), int(end - start)) for start, end in zip(changes[::2], changes[1::2], strict=True)]
