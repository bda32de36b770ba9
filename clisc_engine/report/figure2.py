"""The paper's Fig. 2: cases of different sizes, a column for each method, its contour over FLAIR."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from clisc_engine.baselines.table1.measured import measured_reference
from clisc_engine.baselines.table1.rows import FULL
from clisc_engine.errors import BadInput, DiskFault, Unreadable
from clisc_engine.imaging.axial import AxialView
from clisc_engine.imaging.placement import Placement
from clisc_engine.products.kinds import IMAGE
from clisc_engine.project.project import Project
from clisc_engine.report.choose import one_of_each_size
from clisc_engine.report.images import Grid, outline, picture
from clisc_engine.report.marks import Marks
from clisc_engine.results.layers import FINAL_LAYER, SAM_LAYER
from clisc_engine.stages.classifier.slices import windowed


@dataclass(frozen=True)
class Contour:
    """A method's mask on the slice.

    Attributes:
        title: of the method.
        path: its outline in SVG; empty where the slice has no mask.
        colour: of the outline.
        score: DSC in percent of the whole case.
        volume: of the whole mask in ml.
        there: whether the case has a mask of the method.
    """

    title: str
    path: str
    colour: str
    score: float | None
    volume: float | None
    there: bool


@dataclass(frozen=True)
class SizeRow:
    """A case of one size group on the slice where its reference is largest.

    Attributes:
        group: of its size.
        case: its name.
        volume: of the reference, in ml.
        z: of the slice, in the stored image.
        view: which sides its edges are, and its place in the source.
        marks: that are written on it.
        grid: of the pictures.
        grey: address of the slice as a picture.
        reference: the reference's outline in SVG.
        contours: one for each method, in the table's order.
    """

    group: str
    case: str
    volume: float
    z: int
    view: AxialView
    marks: Marks
    grid: Grid
    grey: str
    reference: str
    contours: list[Contour]


@dataclass(frozen=True)
class Figure:
    """Fig. 2: titles of its columns, its rows, and the cases that could not be read with the reason."""

    titles: list[str]
    rows: list[SizeRow]
    failed: dict[str, str]


def figure2(project: Project, document: Mapping[str, Any]) -> Figure:
    """The figure of what Table 1 measured; oracle rows have no column, since no mask of theirs is kept."""
    methods = [row for row in document["rows"] if row["threshold"] is None]
    rows: list[SizeRow] = []
    failed: dict[str, str] = {}
    for group, name in one_of_each_size(document).items():
        try:
            rows.append(_row(project, document, methods, group, name))
        except (Unreadable, DiskFault):
            raise
        except BadInput as error:
            failed[name] = str(error)
    return Figure([row["title"] for row in methods], rows, failed)


def _row(
    project: Project, document: Mapping[str, Any], methods: list[dict[str, Any]], group: str, name: str
) -> SizeRow:
    case = project.case(name)
    reference = measured_reference(project, case, document)
    z = int(np.argmax(reference.sum(axis=(1, 2))))
    slices = windowed(case.read(IMAGE), project.settings.window)
    view = AxialView.of(Placement.from_dict(case.info.placement))
    grid = Grid.of(slices.shape[1:], view.aspect)
    entries = {entry["name"]: entry for entry in document["cases"] if entry["case"] == name}
    contours: list[Contour] = []
    for method in methods:
        there = case.seal(method["array"]) is not None
        mask = case.read(method["array"]) != 0 if there else None
        path = "" if mask is None else outline(grid.mask(mask[z]))
        ml = None if mask is None else float(mask.sum() * np.prod(case.info.spacing)) / 1000
        colour = (FINAL_LAYER if method["name"] == FULL else SAM_LAYER).colour
        score = entries[method["name"]]["dsc"] if method["name"] in entries else None
        contours.append(Contour(method["title"], path, colour, score, ml, there))
    volume = next(iter(entries.values()))["volume_ml"]
    grey = picture(grid.grey(slices[z]))
    marks = Marks.of(view, grid, slices.shape[2], share=0.1)
    return SizeRow(
        group, name, volume, z, view, marks, grid, grey, outline(grid.mask(reference[z])), contours
    )
