"""Letters of the patient's sides and a scale bar on a slice of a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clisc_engine.imaging.axial import AxialView
from clisc_engine.report.images import Grid


@dataclass(frozen=True)
class Marks:
    """What is written on a shown slice; places in shown pixels.

    Attributes:
        size: of the letters.
        arm: of a cross that stands for a prompt's point, from its centre.
        corners: the letters of left and right, in the upper corners: x, y, where the text has its anchor
            (``start``, ``middle`` or ``end``), letter.
        edges: the letters of top and bottom, in the same way.
        bar: where the scale bar starts and ends, and its height.
        words: its length, e.g. ``50 mm``.
    """

    size: float
    arm: float
    corners: list[tuple[float, float, str, str]]
    edges: list[tuple[float, float, str, str]]
    bar: tuple[float, float, float]
    words: str

    @classmethod
    def of(cls, view: AxialView, grid: Grid, columns: int, share: float = 0.075) -> Marks:
        """The marks of slices with so many stored columns; letters have this share of the shorter side."""
        size = share * min(grid.width, grid.height)
        low, end = grid.height - 0.25 * size, grid.width - 0.3 * size
        mm = view.bar(columns)
        start = end - mm / view.pixel[1] * grid.across
        corners = [(0.2 * size, "start", view.left), (grid.width - 0.2 * size, "end", view.right)]
        middle = grid.width / 2
        edges = [(0.9 * size, view.top), (low, view.bottom)]
        return cls(
            size=round(size, 2),
            arm=round(0.022 * max(grid.width, grid.height), 2),
            corners=[(round(x, 2), round(0.9 * size, 2), anchor, letter) for x, anchor, letter in corners],
            edges=[(round(middle, 2), round(y, 2), "middle", letter) for y, letter in edges],
            bar=(round(start, 2), round(end, 2), round(low, 2)),
            words=f"{mm:g} mm",
        )


def plain_marks(view: AxialView, grid: Grid, columns: int) -> dict[str, Any]:
    """The same for the viewer, which writes them itself: letters, and the bar's length in shown pixels."""
    mm = view.bar(columns)
    return {
        "left": view.left,
        "right": view.right,
        "top": view.top,
        "bottom": view.bottom,
        "bar": round(mm / view.pixel[1] * grid.across, 2),
        "words": f"{mm:g} mm",
    }
