"""What each step made of one case as a figure: one row a slice, one column a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clisc_engine.core.labelling import NORMAL, TUMOUR, UNCERTAIN
from clisc_engine.core.prompts import Prompt
from clisc_engine.results.case_picture import CasePicture, Mask
from clisc_engine.results.layers import (
    HEAT_COLOURS,
    PROMPTS_LAYER,
    REFERENCE_LAYER,
    SAM_LAYER,
    Layer,
    heat_alpha,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BACKGROUND, INK, FAINT, FRAME = "#101418", "#e8ecf0", "#8a949e", "#3a444e"
BARS = {TUMOUR: SAM_LAYER.colour, NORMAL: "#4a5560", UNCERTAIN: "#8d7a3f"}
"""Colours of CLIP's probability by the slice's label."""


def draw_case(picture: CasePicture, weights: str) -> Figure:
    """The picture as a figure: one row a slice, one column a step, CLIP's probability below."""
    from matplotlib.figure import Figure

    columns: list[Layer | None] = [None, *picture.steps]
    height, width = picture.slices.shape[1:]
    cell = 2.1
    tall = min(cell * picture.aspect * height / width, 1.6 * cell)
    strip = 1.5 if picture.probability.size else 0.0
    total = 1.0 + len(picture.chosen) * tall + strip
    figure = Figure(figsize=(cell * max(len(columns), 3) + 0.6, total), facecolor=BACKGROUND, dpi=110)
    grid = figure.add_gridspec(
        len(picture.chosen),
        len(columns),
        left=0.06,
        right=0.99,
        top=1 - 0.9 / total,
        bottom=(strip + 0.08) / total,
        hspace=0.03,
        wspace=0.03,
    )
    for row, z in enumerate(picture.chosen):
        for column, layer in enumerate(columns):
            axes = figure.add_subplot(grid[row, column])
            _draw_slice(axes, picture, z, layer)
            if row == 0:
                colour = layer.colour if layer else ""
                axes.set_title(_title(picture, layer), color=colour or INK, fontsize=9, pad=5)
            if column == 0:
                axes.set_ylabel(f"z {z}", color=FAINT, fontsize=8, rotation=0, ha="right", va="center")
    caution = "   ·   tiny models: for demos and tests" if weights == "tiny" else ""
    title = f"{picture.name}   ·   {picture.split}{caution}"
    figure.text(0.06, 1 - 0.22 / total, title, color=INK, fontsize=11, va="top")
    if strip:
        axes = figure.add_axes((0.06, 0.42 / total, 0.93, (strip - 0.62) / total))
        _draw_probability(axes, picture)
    return figure


def picture_bytes(figure: Figure, ending: str = ".png") -> bytes:
    """A figure as the bytes of a file with one of the endings `show.PICTURES`."""
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=ending.removeprefix("."), facecolor=figure.get_facecolor())
    return buffer.getvalue()


def _title(picture: CasePicture, layer: Layer | None) -> str:
    """A column's title, with the DSC of its masks where they were measured."""
    score = picture.scores.get(layer.array) if layer else None
    return picture.column_title(layer) + ("" if score is None else f"\nDSC {score:.1f} %")


def _draw_slice(axes: Axes, picture: CasePicture, z: int, layer: Layer | None) -> None:
    axes.set_facecolor("black")
    axes.imshow(picture.slices[z], cmap="gray", vmin=0, vmax=255, aspect=picture.aspect)
    if layer is None:
        if picture.reference is not None:
            _outline(axes, picture.reference[z], REFERENCE_LAYER.colour)
    elif layer.kind == "map":
        heat = picture.maps[layer.array][z] / 255
        alpha = heat_alpha(heat)
        axes.imshow(heat, cmap=HEAT_COLOURS, vmin=0, vmax=1, alpha=alpha, aspect=picture.aspect)
    else:
        _outline(axes, picture.masks[layer.array][z], layer.colour)
        if layer is SAM_LAYER:
            _draw_prompts(axes, picture.prompts.get(z, []))
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


def _draw_prompts(axes: Axes, prompts: Sequence[Prompt]) -> None:
    from matplotlib.patches import Rectangle

    colour = PROMPTS_LAYER.colour
    for prompt in prompts:
        if prompt.box is not None:
            x0, y0, x1, y1 = prompt.box
            frame = Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=colour, linewidth=0.9)
            frame.set_linestyle("--")
            axes.add_patch(frame)
        for (x, y), label in zip(prompt.points, prompt.point_labels, strict=True):
            marker = "+" if label else "x"
            axes.plot(x, y, marker, color=colour, markersize=6 if label else 4, markeredgewidth=1.2)


def _draw_probability(axes: Axes, picture: CasePicture) -> None:
    """CLIP's probability along z; the drawn slices are marked."""
    axes.set_facecolor(BACKGROUND)
    z = np.arange(len(picture.probability))
    colours = [BARS.get(int(label), BARS[UNCERTAIN]) for label in picture.labels]
    axes.bar(z, picture.probability, color=colours, width=0.9)
    axes.plot(picture.chosen, [1.07] * len(picture.chosen), "v", color=INK, markersize=4, clip_on=False)
    axes.set_xlim(-0.6, len(z) - 0.4)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1])
    axes.tick_params(colors=FAINT, labelsize=7, length=2)
    for side in axes.spines.values():
        side.set_color(FRAME)
    axes.set_xlabel(
        "slice z: CLIP's tumour probability (blue: labelled tumour, grey: normal, ochre: uncertain)",
        color=FAINT,
        fontsize=8,
    )
