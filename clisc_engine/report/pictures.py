"""What a report shows of a case: a few slices as pictures, and all of them for the viewer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine.core.prompts import Prompt
from clisc_engine.report.images import COLUMNS, Grid, grey_sheet, heat, mask_sheet, outline, picture
from clisc_engine.report.marks import plain_marks
from clisc_engine.results.case_picture import CasePicture
from clisc_engine.results.layers import LAYERS, PROMPTS_LAYER, REFERENCE_LAYER, SAM_LAYER, Layer

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class DrawnPrompt:
    """A prompt on the shown grid: box (x, y, width, height), points (x, y), in shown pixels."""

    box: tuple[float, float, float, float] | None
    foreground: Points
    background: Points


@dataclass(frozen=True)
class Cell:
    """One picture: a slice and what lies over it.

    Attributes:
        title: of the step.
        figures: volume and DSC of the step in this case, in words.
        heat: address of the map drawn over the slice; empty without.
        outlines: layers and their SVG paths.
        prompts: drawn over it.
    """

    title: str
    figures: str
    heat: str
    outlines: list[tuple[Layer, str]]
    prompts: list[DrawnPrompt]


@dataclass(frozen=True)
class Row:
    """One slice of a case: its index, its grey picture, a cell for each step, its place in the source."""

    z: int
    grey: str
    cells: list[Cell]
    axial: int


@dataclass(frozen=True)
class Legend:
    """What is drawn in any of some pictures, and so has to be explained.

    Attributes:
        outlines: layers, in the order of all.
        box: whether there is a prompt's box.
        inside: whether there is a point in a lesion.
        outside: whether there is a point outside.
    """

    outlines: list[Layer]
    box: bool
    inside: bool
    outside: bool

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Legend:
        """Of the pictures of these rows."""
        cells = [cell for row in rows for cell in row.cells]
        drawn_layers = {layer for cell in cells for layer, path in cell.outlines if path}
        prompts = [prompt for cell in cells for prompt in cell.prompts]
        return cls(
            outlines=[layer for layer in LAYERS if layer in drawn_layers],
            box=any(prompt.box is not None for prompt in prompts),
            inside=any(prompt.foreground for prompt in prompts),
            outside=any(prompt.background for prompt in prompts),
        )


def rows_of(case: CasePicture) -> tuple[Grid, list[Row]]:
    """The chosen slices of a case, one row each."""
    grid = Grid.of(case.slices.shape[1:], case.view.aspect)
    columns = (None, *case.steps)
    return grid, [
        Row(
            z,
            picture(grid.grey(case.slices[z])),
            [_cell(case, grid, z, layer) for layer in columns],
            case.view.axial_slice(z),
        )
        for z in case.chosen
    ]


def viewer_case(case: CasePicture) -> dict[str, Any]:
    """A case for the viewer: sheets of its slices, maps and masks, prompts, labels; plain values."""
    grid = Grid.of(case.slices.shape[1:], case.view.aspect)
    layers: dict[str, Any] = {}
    for layer in LAYERS:
        if layer.kind == "map" and layer.array in case.maps:
            layers[layer.id] = grey_sheet([grid.grey(slice_) for slice_ in case.maps[layer.array]])
        elif layer.kind == "mask" and (mask := _mask(case, layer)) is not None:
            layers[layer.id] = mask_sheet([grid.mask(slice_) for slice_ in mask])
    if case.prompts:
        layers[PROMPTS_LAYER.id] = {
            z: [_plain(drawn(prompt, grid)) for prompt in prompts] for z, prompts in case.prompts.items()
        }
    return {
        "width": grid.width,
        "height": grid.height,
        "columns": min(COLUMNS, len(case.slices)),
        "count": len(case.slices),
        "start": case.chosen[len(case.chosen) // 2],
        "axial": case.view.first,
        "marks": plain_marks(case.view, grid, case.slices.shape[2]),
        "told": "; ".join(filter(None, [case.view.convention, case.view.caution])),
        "figures": {layer.id: figures for layer in LAYERS if (figures := _figures(case, layer))},
        "probability": [round(float(value), 3) for value in case.probability],
        "labels": case.labels.tolist(),
        "slices": grey_sheet([grid.grey(slice_) for slice_ in case.slices]),
        "layers": layers,
    }


def drawn(prompt: Prompt, grid: Grid) -> DrawnPrompt:
    """A prompt on the shown grid; its box encloses the whole of its first and last pixels."""
    box = None
    if prompt.box is not None:
        (x0, y0), (x1, y1) = prompt.box[:2], prompt.box[2:]
        left, top = round(x0 * grid.across, 1), round(y0 * grid.down, 1)
        box = (left, top, round((x1 + 1) * grid.across - left, 1), round((y1 + 1) * grid.down - top, 1))
    points = [(grid.point(float(x), float(y)), label) for (x, y), label in _labelled(prompt)]
    return DrawnPrompt(
        box, [point for point, label in points if label], [point for point, label in points if not label]
    )


def _cell(case: CasePicture, grid: Grid, z: int, layer: Layer | None) -> Cell:
    """The cell of a step's layer, or of the bare slice with its reference."""
    title = case.column_title(layer)
    if layer is None:
        reference = [REFERENCE_LAYER] if case.reference is not None else []
        outlines = [_outlined(case, grid, z, found) for found in reference]
        return Cell(title, case.figures(None), "", outlines, [])
    figures = case.figures(layer)
    if layer.kind == "map":
        return Cell(title, figures, heat(grid.grey(case.maps[layer.array][z])), [], [])
    prompts = case.prompts.get(z, []) if layer is SAM_LAYER else []
    shown = [drawn(prompt, grid) for prompt in prompts]
    return Cell(title, figures, "", [_outlined(case, grid, z, layer)], shown)


def _outlined(case: CasePicture, grid: Grid, z: int, layer: Layer) -> tuple[Layer, str]:
    mask = _mask(case, layer)
    return layer, outline(grid.mask(mask[z])) if mask is not None else ""


def _figures(case: CasePicture, layer: Layer) -> str:
    """Of a layer that the viewer has; prompts have none."""
    return "" if layer is PROMPTS_LAYER else case.figures(layer)


def _mask(case: CasePicture, layer: Layer) -> npt.NDArray[np.bool_] | None:
    return case.reference if layer is REFERENCE_LAYER else case.masks.get(layer.array)


def _labelled(prompt: Prompt) -> list[tuple[npt.NDArray[np.float32], int]]:
    return list(zip(prompt.points, prompt.point_labels.tolist(), strict=True))


def _plain(prompt: DrawnPrompt) -> dict[str, Any]:
    return {"box": prompt.box, "in": prompt.foreground, "out": prompt.background}
