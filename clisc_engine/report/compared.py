"""A comparison of two evaluations as one HTML page, with pictures of the same slices side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from clisc_engine.errors import BadInput
from clisc_engine.imaging.axial import AxialView
from clisc_engine.report import charts
from clisc_engine.report.choose import evenly, final_row
from clisc_engine.report.images import Grid
from clisc_engine.report.marks import Marks
from clisc_engine.report.page import environment, hash_of, resource
from clisc_engine.report.pictures import Legend, Row, rows_of
from clisc_engine.report.tables import ROW_TITLES, SHORT_TITLES
from clisc_engine.results.case_picture import CasePicture, case_picture
from clisc_engine.results.compare_tables import made, outputs_of
from clisc_engine.results.sides import Side
from clisc_engine.sweeps.sweep import plain

SLICES = 3
ROWS_IN_A_CHART = 5
"""Each has two boxes; the names of more would lie over one another."""
NO_PICTURES = "No case is pictured."
EARLIER = "Pictures show masks as they are now, so an earlier evaluation has none."


@dataclass
class Page:
    """What was written: the file, the cases pictured, and those that could not be read."""

    file: Path
    pictured: list[str]
    failed: dict[str, str]


@dataclass(frozen=True)
class _Drawn:
    """One side of a pictured case."""

    letter: str
    view: AxialView
    grid: Grid
    marks: Marks
    rows: list[Row]


@dataclass(frozen=True)
class _Case:
    name: str
    result: str
    sides: tuple[_Drawn, _Drawn]


def write_comparison(a: Side, b: Side, document: Mapping[str, Any], path: Path, pictures: int) -> Page:
    """Write the page of a comparison.

    Args:
        a: one side.
        b: the other.
        document: of `results.compare`.
        path: of the page.
        pictures: so many cases at most are pictured.

    Raises:
        BadInput: when there is a file that clisc did not write.
        DiskFault: when the disk does not take it.
    """
    outputs = outputs_of(a, b, "--report")
    outputs.check([path])
    final = final_row(document["rows"])
    ranked = _ranked(document, final)
    shown: list[_Case] = []
    failed: dict[str, str] = {}
    drawable = a.past.current and b.past.current
    for case, difference in evenly(ranked, pictures) if drawable else ():
        try:
            shown.append(_drawn(a, b, case, difference))
        except BadInput as error:
            failed[case] = str(error)
    page = _render(document, final, shown, NO_PICTURES if drawable else EARLIER)
    outputs.put_bytes(path, page, made("report", document))
    return Page(path, [case.name for case in shown], failed)


def _ranked(document: Mapping[str, Any], row: str) -> list[tuple[str, float]]:
    """The cases with their differences in the row, from where b is worst against a."""
    found = [
        (pair["case"], pair["dsc_difference"])
        for pair in document["pairs"]
        if pair["row"] == row and pair["dsc_difference"] is not None
    ]
    return sorted(found, key=lambda pair: (pair[1], pair[0]))


def _drawn(a: Side, b: Side, case: str, difference: float) -> _Case:
    """A case on both sides, on the same slices where both have the same."""
    one, other = (case_picture(side.project, side.name_of(case), SLICES) for side in (a, b))
    if one.slices.shape == other.slices.shape:
        chosen = evenly(sorted({*one.chosen, *other.chosen}), SLICES)
        one, other = replace(one, chosen=chosen), replace(other, chosen=chosen)
    return _Case(case, f"{difference:+.1f} % DSC", (_side("a", one), _side("b", other)))


def _side(letter: str, picture: CasePicture) -> _Drawn:
    grid, rows = rows_of(picture)
    marks = Marks.of(picture.view, grid, picture.slices.shape[2])
    return _Drawn(letter, picture.view, grid, marks, rows)


def _render(document: Mapping[str, Any], final: str, shown: Sequence[_Case], why_none: str) -> bytes:
    style = resource("style.css")
    a, b = document["sides"]
    page = environment()
    page.filters["plain"] = plain
    text = page.get_template("compare.html").render(
        a=a,
        b=b,
        settings=document["settings"],
        rows=document["rows"],
        cases=document["cases"],
        table1=document["table1"],
        notes=document["notes"],
        stale=_stale(document),
        titles=ROW_TITLES,
        final=final,
        charts=[
            Markup(charts.box_chart("DSC of the same cases by step, a and b", "DSC %", groups))
            for groups in _groups(document)
        ],
        shown=shown,
        why_none=why_none,
        drawn=Legend.of(row for case in shown for side in case.sides for row in side.rows),
        tiny="tiny" in (a["weights"], b["weights"]),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        style=Markup(style),
        style_hash=hash_of(style),
    )
    return text.encode()


def _groups(document: Mapping[str, Any]) -> list[dict[str, dict[str, float]]]:
    """DSC by case, by row and side, of as many rows a chart as have room for their names."""
    rows = document["rows"]
    return [
        _sides(rows[first : first + ROWS_IN_A_CHART], document["pairs"])
        for first in range(0, len(rows), ROWS_IN_A_CHART)
    ]


def _sides(
    rows: Sequence[Mapping[str, Any]], pairs: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, float]]:
    return {
        f"{SHORT_TITLES.get(row['name'], row['name'])} {key}": {
            pair["case"]: pair[f"dsc_{key}"]
            for pair in pairs
            if pair["row"] == row["name"] and pair["dsc_difference"] is not None
        }
        for row in rows
        for key in ("a", "b")
    }


def _stale(document: Mapping[str, Any]) -> list[str]:
    rows = [
        f"* {ROW_TITLES.get(row['name'], row['name'])} of {key} is stale: {row[key]['why']}"
        for row in document["rows"]
        for key in ("a", "b")
        if row[key]["state"] == "stale"
    ]
    sides = [
        f"{side['label']} was measured before it changed: {side['outdated']}"
        for side in document["sides"]
        if side["outdated"]
    ]
    return rows + sides
