"""The report's page: all that was gathered, with charts and pictures, as one HTML text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from markupsafe import Markup

from clisc_engine.imaging.axial import AxialView
from clisc_engine.products.graph import STEPS
from clisc_engine.project.project import Project
from clisc_engine.report import charts, tables
from clisc_engine.report.choose import final_row, place_in_words
from clisc_engine.report.gather import Story
from clisc_engine.report.images import Grid, heat_colours
from clisc_engine.report.marks import Marks
from clisc_engine.report.page import commands_with, environment, hash_of, resource
from clisc_engine.report.pictures import Legend, Row, rows_of, viewer_case
from clisc_engine.report.sweeps import shown_sweeps
from clisc_engine.results.case_picture import case_picture
from clisc_engine.results.layers import LAYERS
from clisc_engine.stages.evaluation.measured import cut_in_words
from clisc_engine.stages.evaluation.told import (
    PAPER_ROWS,
    few_cases,
    lacking_in_words,
    splits_in_words,
    with_commands,
)

SLICES = 3
"""Slices of a pictured case."""


@dataclass
class ShownCase:
    """A case as the page shows it."""

    name: str
    split: str
    place: str
    result: str
    labels: Markup | None
    view: AxialView
    grid: Grid | None = None
    marks: Marks | None = None
    rows: list[Row] = field(default_factory=list)
    viewer: dict[str, Any] = field(default_factory=dict)

    @property
    def is_pictured(self) -> bool:
        """Whether there are pictures of it."""
        return bool(self.rows)

    @property
    def is_viewed(self) -> bool:
        """Whether it is in the viewer."""
        return bool(self.viewer)


def render(
    story: Story,
    splits: dict[str, str],
    shown: list[ShownCase],
    failed: dict[str, str],
    comparison: dict[str, Any] | None = None,
) -> bytes:
    """The page. All that comes from the project is escaped by the template, or by the charts' own XML.

    Its commands name the variant, but no folder: a page is looked at elsewhere, too.
    """
    here = commands_with(story.options)
    viewed = [case for case in shown if case.is_viewed]
    style, script = resource("style.css"), resource("viewer.js")
    page = (
        environment(story.options)
        .get_template("report.html")
        .render(
            story=story,
            made=story.made,
            stages={line.stage: line for line in story.stages},
            order=STEPS,
            pictured=[case for case in shown if case.is_pictured],
            viewed=viewed,
            places={case.name: index for index, case in enumerate(viewed)},
            failed=failed,
            drawn=Legend.of(row for case in shown for row in case.rows),
            layers=LAYERS,
            viewer={"layers": [asdict(layer) for layer in LAYERS], "heat": heat_colours()},
            curves=_curves(story),
            similarities=_similarities(story),
            cut=min(story.kept.values(), default=None),
            least=2 * tables.EXTREMES,
            evaluation=_evaluation(story, here),
            table1=comparison and {**comparison, "document": with_commands(comparison["document"], here)},
            sweeps=shown_sweeps(story.sweeps),
            lines=tables.case_lines(story, splits),
            tiny=story.weights == "tiny",
            region=next(line.value for line in story.settings if line.key == "roi.threshold"),
            prompted_by=next(line.value for line in story.settings if line.key == "prompts.region"),
            style=Markup(style),
            script=Markup(script),
            style_hash=hash_of(style),
            script_hash=hash_of(script),
        )
    )
    return page.encode()


def show(project: Project, story: Story, name: str, pictured: bool, viewed: bool) -> ShownCase:
    """A case as picture, in the viewer, or both.

    Raises:
        BadInput: when there is no such case, or one of its arrays cannot be read.
    """
    picture = case_picture(project, name, SLICES)
    chart = None
    if pictured and picture.probability.size:
        values, labels = picture.probability.tolist(), picture.labels.tolist()
        chart = Markup(charts.probability_chart(name, values, labels, picture.view.first))
    case = ShownCase(
        name=name,
        split=picture.split,
        place=place_in_words(name, story.ranking),
        result=story.ranking.in_words(name),
        labels=chart,
        view=picture.view,
        viewer=viewer_case(picture) if viewed else {},
    )
    if pictured:
        case.grid, case.rows = rows_of(picture)
        case.marks = Marks.of(picture.view, case.grid, picture.slices.shape[2])
    return case


def _curves(story: Story) -> dict[str, list[Markup]]:
    """Loss, and score where there is one, of each training."""
    return {
        name: [
            Markup(charts.curve_chart(name, quantity, columns[quantity]))
            for quantity in ("loss", "score")
            if quantity in columns
        ]
        for name, columns in story.curves.items()
    }


def _similarities(story: Story) -> Markup | None:
    if not story.kept:
        return None
    return Markup(charts.similarity_chart(list(story.kept.values()), list(story.dropped.values())))


def _evaluation(story: Story, here: Callable[[str], str]) -> dict[str, Any] | None:
    if story.evaluation is None:
        return None
    final = final_row(story.evaluation["rows"])
    row = tables.ROW_TITLES[final]
    worst, best = tables.extremes(list(story.ranking.values))
    by_row, by_size = tables.dsc_by_row(story.evaluation), tables.dsc_by_size(story.evaluation)
    return {
        "final": row,
        "final_name": final,
        "rows": story.evaluation["rows"],
        "titles": tables.ROW_TITLES,
        "by_row": Markup(charts.box_chart("DSC of every case by step", "DSC %", by_row)),
        "by_size": Markup(charts.box_chart(f"DSC by tumour size: {row}", "DSC %", by_size)),
        "worst": worst,
        "best": best,
        "failed": story.evaluation["failed"],
        "without_tumour": story.evaluation["without_tumour"],
        "notes": story.evaluation["notes"],
        "lacking": lacking_in_words(with_commands(story.evaluation, here)),
        "few": few_cases(story.evaluation),
        "splits": splits_in_words(story.evaluation),
        "paper": PAPER_ROWS,
        "cut": cut_in_words(story.evaluation.get("map_threshold")),
        "whole": story.evaluation["revision"] > 1,
    }
