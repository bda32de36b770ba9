"""What each step made of one case as a figure: one row a slice, one column a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clisc_engine.core.labelling import NORMAL, TUMOUR, UNCERTAIN
from clisc_engine.results.case_picture import CasePicture, Mask
from clisc_engine.results.layers import (
    HEAT_COLOURS,
    REFERENCE_LAYER,
    SAM_LAYER,
    Layer,
    heat_alpha,
)
from clisc_engine.results.picture_marks import draw_bar, draw_legend, draw_prompts, draw_sides, marks_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec

BACKGROUND, INK, FAINT, FRAME = "#101418", "#e8ecf0", "#8a949e", "#3a444e"
BARS = {TUMOUR: SAM_LAYER.colour, NORMAL: "#4a5560", UNCERTAIN: "#8d7a3f"}
"""Colours of CLIP's probability by the slice's label."""

CELL, MARGIN, LINE = 2.1, 0.62, 0.15
"""Inches: width of a slice, of the margin that has their numbers, and height of a line of small words."""

LETTERS_IN_AN_INCH, OF_THE_TITLE = 17, 11
"""Of the small words, and of the title's, about."""

TITLE_LINE = 0.2
"""Inches: height of a line of the title."""

DOT = "   ·   "


def draw_case(picture: CasePicture, weights: str) -> Figure:
    """The picture as a figure: one row a slice, one column a step, CLIP's probability below."""
    from matplotlib.figure import Figure

    columns: list[Layer | None] = [None, *picture.steps]
    height, width = picture.slices.shape[1:]
    tall = min(CELL * picture.view.aspect * height / width, 1.6 * CELL)
    wide = CELL * max(len(columns), 3) + MARGIN + 0.1
    told = _lines(_to_read(picture), int(wide * LETTERS_IN_AN_INCH))
    title = _lines(_in_the_title(picture, weights), int((wide - MARGIN) * OF_THE_TITLE))
    strip = 1.5 if picture.probability.size else 0.0
    marks = _prompt_marks(picture)
    legend = 0.26 if marks else 0.0
    figures = any(picture.figures(layer) for layer in columns)
    further = TITLE_LINE * (len(title) - 1)
    head = 0.7 + further + LINE * (len(told) + figures)
    total = head + len(picture.chosen) * tall + legend + strip + 0.08
    figure = Figure(figsize=(wide, total), facecolor=BACKGROUND, dpi=110)
    grid = figure.add_gridspec(
        len(picture.chosen),
        len(columns),
        left=MARGIN / wide,
        right=1 - 0.1 / wide,
        top=1 - head / total,
        bottom=(strip + legend + 0.08) / total,
        hspace=0.03,
        wspace=0.03,
    )
    _draw_slices(figure, grid, picture, columns)
    left, top = MARGIN / wide, 1 - 0.16 / total
    figure.text(left, top, "\n".join(title), color=INK, fontsize=11, va="top")
    words, below = "\n".join(told), 1 - (0.4 + further) / total
    figure.text(left, below, words, color=FAINT, fontsize=7.5, va="top", linespacing=1.4)
    if legend:
        draw_legend(figure, (MARGIN / wide, (strip + 0.1) / total), marks)
    if strip:
        axes = figure.add_axes((MARGIN / wide, 0.42 / total, 1 - (MARGIN + 0.1) / wide, 0.88 / total))
        _draw_probability(axes, picture)
    return figure


def _prompt_marks(picture: CasePicture) -> list[str]:
    """The marks of the prompts that are drawn, on the chosen slices in SAM's column."""
    shown = picture.chosen if SAM_LAYER in picture.steps else []
    return marks_of(prompt for z in shown for prompt in picture.prompts.get(z, []))


def _in_letters(name: str) -> str:
    """A name with the codes of letters that the font lacks, where boxes would tell no case from another."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties()))
    known = (one if font.get_char_index(ord(one)) else ascii(one)[1:-1] for one in name)
    return "".join(known)


def _draw_slices(
    figure: Figure, grid: GridSpec, picture: CasePicture, columns: Sequence[Layer | None]
) -> None:
    """Each chosen slice in each column, with titles above the first and numbers beside each."""
    for row, z in enumerate(picture.chosen):
        for column, layer in enumerate(columns):
            axes = figure.add_subplot(grid[row, column])
            _draw_slice(axes, picture, z, layer)
            if row == 0:
                colour = layer.colour if layer else ""
                axes.set_title(_title(picture, layer), color=colour or INK, fontsize=9, pad=5)
            if column == 0:
                place = f"slice {picture.view.axial_slice(z)}\nz {z}"
                axes.set_ylabel(place, color=FAINT, fontsize=8, rotation=0, ha="right", va="center")


def _to_read(picture: CasePicture) -> list[str]:
    """What must be known to read the picture."""
    view, told = picture.view, ["slice: the source's axial slice, from 0, the lowest"]
    if picture.masks or picture.measured.scores:
        told.append("ml and DSC: of the whole volume, not of the slice")
    return [view.convention, *filter(None, [view.caution]), *told]


def _in_the_title(picture: CasePicture, weights: str) -> list[str]:
    caution = ["tiny models: for demos and tests"] if weights == "tiny" else []
    return [_in_letters(picture.name), picture.split, *caution]


def _lines(sentences: list[str], most: int) -> list[str]:
    """The sentences in lines of so many letters; one that is longer gets lines of its own, cut anywhere."""
    lines = [""]
    parts = (one[at : at + most] for one in sentences for at in range(0, len(one), most))
    for sentence in parts:
        longer = f"{lines[-1]}{DOT}{sentence}" if lines[-1] else sentence
        if lines[-1] and len(longer) > most:
            lines.append(sentence)
        else:
            lines[-1] = longer
    return lines


def picture_bytes(figure: Figure, ending: str = ".png") -> bytes:
    """A figure as the bytes of a file with one of the endings of `show.PICTURES`."""
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=ending.removeprefix("."), facecolor=figure.get_facecolor())
    return buffer.getvalue()


def _title(picture: CasePicture, layer: Layer | None) -> str:
    """A column's title, with volume and DSC of what it shows."""
    figures = picture.figures(layer)
    return picture.column_title(layer) + (f"\n{figures}" if figures else "")


def _draw_slice(axes: Axes, picture: CasePicture, z: int, layer: Layer | None) -> None:
    axes.set_facecolor("black")
    axes.imshow(picture.slices[z], cmap="gray", vmin=0, vmax=255, aspect=picture.view.aspect)
    if layer is None:
        if picture.reference is not None:
            _outline(axes, picture.reference[z], REFERENCE_LAYER.colour)
    elif layer.kind == "map":
        heat = picture.maps[layer.array][z] / 255
        alpha = heat_alpha(heat)
        axes.imshow(heat, cmap=HEAT_COLOURS, vmin=0, vmax=1, alpha=alpha, aspect=picture.view.aspect)
    else:
        _outline(axes, picture.masks[layer.array][z], layer.colour)
        if layer is SAM_LAYER:
            draw_prompts(axes, picture.prompts.get(z, []))
    draw_sides(axes, picture.view, all_four=layer is None)
    if layer is None:
        draw_bar(axes, picture.view, picture.slices.shape[1:])
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)


def _outline(axes: Axes, mask: Mask, colour: str) -> None:
    if mask.any():
        padded = np.pad(mask.astype(float), 1)
        y, x = np.arange(-1, mask.shape[0] + 1), np.arange(-1, mask.shape[1] + 1)
        axes.contour(x, y, padded, levels=[0.5], colors=[colour], linewidths=1.3)
        axes.set_xlim(-0.5, mask.shape[1] - 0.5)
        axes.set_ylim(mask.shape[0] - 0.5, -0.5)


def _draw_probability(axes: Axes, picture: CasePicture) -> None:
    """CLIP's probability along z; the drawn slices are marked."""
    from matplotlib.ticker import MaxNLocator

    axes.set_facecolor(BACKGROUND)
    first = picture.view.first
    z = first + np.arange(len(picture.probability))
    colours = [BARS.get(int(label), BARS[UNCERTAIN]) for label in picture.labels]
    axes.bar(z, picture.probability, color=colours, width=0.9)
    chosen = [picture.view.axial_slice(z) for z in picture.chosen]
    axes.plot(chosen, [1.07] * len(chosen), "v", color=INK, markersize=4, clip_on=False)
    axes.set_xlim(first - 0.6, first + len(z) - 0.4)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(colors=FAINT, labelsize=7, length=2)
    for side in axes.spines.values():
        side.set_color(FRAME)
    axes.set_xlabel(
        "slice: CLIP's tumour probability (blue: labelled tumour, grey: normal, ochre: uncertain)",
        color=FAINT,
        fontsize=8,
    )
