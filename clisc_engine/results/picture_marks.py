"""Marks on a drawn slice: sides of the patient, scale bar, prompts and their legend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from clisc_engine.core.prompts import Prompt
from clisc_engine.imaging.axial import AxialView
from clisc_engine.results.layers import PROMPTS_LAYER

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

LETTERS = "#c9d3dc"
PROMPT_WORDS = {
    "box": "box that SAM was given",
    "+": "point in the lesion",
    "x": "point outside",
}
"""What the prompts' marks mean."""

_SIZES = {"+": 6.0, "x": 4.0}


def draw_sides(axes: Axes, view: AxialView, *, all_four: bool) -> None:
    """Name the edges of a slice: left and right in its upper corners, the others where there is room."""
    places = [(0.02, 0.98, view.left, "left", "top"), (0.98, 0.98, view.right, "right", "top")]
    if all_four:
        places += [(0.5, 0.99, view.top, "center", "top"), (0.5, 0.01, view.bottom, "center", "bottom")]
    for x, y, letter, across, up in places:
        axes.text(
            x,
            y,
            letter,
            transform=axes.transAxes,
            ha=across,
            va=up,
            color=LETTERS,
            fontsize=7.5,
            path_effects=_edge(2.0),
            snap=False,  # snapped to whole pixels, an L may lose its foot and read as an I
        )


def draw_bar(axes: Axes, view: AxialView, shape: tuple[int, int]) -> None:
    """A scale bar in the lower right corner of a slice of this (Y, X) shape, with its length in mm."""
    rows, columns = shape
    mm = view.bar(columns)
    end = 0.97 * columns - 0.5
    start, y = end - mm / view.pixel[1], 0.975 * rows - 0.5
    axes.plot(
        [start, end],
        [y, y],
        color=LETTERS,
        linewidth=2.0,
        solid_capstyle="butt",
        path_effects=_edge(3.2),
        gid="scale bar",
    )
    axes.annotate(
        f"{mm:g} mm",
        (end, y),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        va="bottom",
        color=LETTERS,
        fontsize=6.5,
        path_effects=_edge(2.0),
    )


def draw_prompts(axes: Axes, prompts: Sequence[Prompt]) -> None:
    """Boxes and points that SAM was given, with dark edges, so that they are seen on a bright tumour."""
    for prompt in prompts:
        if prompt.box is not None:
            x0, y0, x1, y1 = prompt.box
            # A pixel's centre is at whole numbers; the box encloses its first and last pixels.
            axes.add_patch(_box((x0 - 0.5, y0 - 0.5), x1 - x0 + 1, y1 - y0 + 1))
        for (x, y), label in zip(prompt.points, prompt.point_labels, strict=True):
            axes.plot(x, y, **_point(_mark(label)))


def marks_of(prompts: Iterable[Prompt]) -> list[str]:
    """The marks that these prompts are drawn with, as in `PROMPT_WORDS`."""
    found: set[str] = set()
    for prompt in prompts:
        found |= {_mark(label) for label in prompt.point_labels}
        found |= {"box"} if prompt.box is not None else set()
    return [mark for mark in PROMPT_WORDS if mark in found]


def draw_legend(figure: Figure, place: tuple[float, float], marks: Sequence[str]) -> None:
    """What these marks mean, from the lower left corner ``place`` in parts of the figure."""
    from matplotlib.lines import Line2D

    handles: list[Artist] = [
        _box((0, 0), 1, 1) if mark == "box" else Line2D([], [], **_point(mark)) for mark in marks
    ]
    figure.legend(
        handles,
        [PROMPT_WORDS[mark] for mark in marks],
        loc="lower left",
        bbox_to_anchor=place,
        ncols=len(handles),
        frameon=False,
        fontsize=7.5,
        labelcolor=LETTERS,
        borderpad=0,
        borderaxespad=0,
    )


def _mark(label: int) -> str:
    """The mark of a point with this label, 1 for one in the lesion."""
    return "+" if label else "x"


def _box(corner: tuple[float, float], width: float, height: float) -> Rectangle:
    from matplotlib.patches import Rectangle

    frame = Rectangle(
        corner, width, height, fill=False, edgecolor=PROMPTS_LAYER.colour, linewidth=0.9, linestyle="--"
    )
    frame.set_path_effects(_edge(2.2))
    return frame


def _point(mark: str) -> dict[str, Any]:
    return {
        "marker": mark,
        "color": PROMPTS_LAYER.colour,
        "markersize": _SIZES[mark],
        "markeredgewidth": 1.2,
        "linestyle": "none",
        "path_effects": _edge(2.8),
    }


def _edge(width: float) -> list[Any]:
    """A dark edge around what is drawn, so that it is seen on any grey."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground="black")]
