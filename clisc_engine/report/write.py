"""The report as one HTML file that needs nothing else: no network, no folder beside it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from clisc_engine.errors import BadInput
from clisc_engine.imaging.axial import AxialView
from clisc_engine.outputs.inputs import Inputs
from clisc_engine.outputs.outputs import Made, Outputs
from clisc_engine.products.graph import STEPS
from clisc_engine.project.project import Project
from clisc_engine.report import charts, tables
from clisc_engine.report.choose import evenly, first_of, place_in_words
from clisc_engine.report.comparison import compared
from clisc_engine.report.gather import Story, final_row, gather
from clisc_engine.report.images import Grid, heat_colours
from clisc_engine.report.marks import Marks
from clisc_engine.report.page import environment, hash_of, resource
from clisc_engine.report.pictures import Row, rows_of, viewer_case
from clisc_engine.report.sweeps import shown_sweeps
from clisc_engine.results.case_picture import case_picture
from clisc_engine.results.layers import LAYERS
from clisc_engine.running.control import Control
from clisc_engine.stages.evaluation.measured import cut_in_words
from clisc_engine.stages.evaluation.told import PAPER_ROWS, few_cases, lacking_in_words

SLICES = 3
"""Slices of a pictured case."""


@dataclass(frozen=True)
class Choice:
    """Which cases to show.

    Attributes:
        cases: those to show; empty for a choice by result.
        pictures: how many at most as pictures.
        viewers: how many at most in the viewer, when they are not named.
    """

    cases: tuple[str, ...] = ()
    pictures: int = 3
    viewers: int = 24


@dataclass
class Written:
    """What was written: the file, its size in bytes, the cases shown, and those that could not be read."""

    file: Path
    size: int
    pictured: list[str]
    viewed: list[str]
    failed: dict[str, str] = field(default_factory=dict)


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


def write_report(project: Project, path: Path, choice: Choice, control: Control) -> Written:
    """Write the report of a project, however far it is.

    Cases whose arrays cannot be read, e.g. since they are just being made, are left out and named.

    Raises:
        BadInput: when a named case does not exist; or there is a file that clisc did not write.
        DiskFault: when the disk does not take the file.
    """
    outputs = Outputs(Inputs.of_project(project), "Choose another file with -o, or move that one away.")
    outputs.check([path])
    story = gather(project)
    splits = {case.info.name: case.info.split for case in project.cases()}
    pictured, viewed = chosen_cases(story, list(splits), choice)
    shown: list[ShownCase] = []
    failed: dict[str, str] = {}
    wanted = list(dict.fromkeys([*pictured, *viewed]))
    control.progress.begin("report", len(wanted), "case")
    for name in wanted:
        control.check_stop()
        try:
            shown.append(_show(project, story, name, name in pictured, name in viewed))
        except BadInput as error:
            if name not in splits:
                raise
            failed[name] = str(error)
        control.progress.advance(name)
    control.progress.end()
    comparison = compared(project)
    if comparison:
        failed |= comparison["figure"].failed
    page = render(story, splits, shown, failed, comparison)
    outputs.put_bytes(path, page, Made("report", {"project": str(project.root.absolute())}))
    in_pictures = [case.name for case in shown if _is_pictured(case)]
    in_viewer = [case.name for case in shown if _is_viewed(case)]
    return Written(path, len(page), in_pictures, in_viewer, failed)


def chosen_cases(story: Story, names: list[str], choice: Choice) -> tuple[list[str], list[str]]:
    """The cases to picture and those for the viewer, the pictured ones first."""
    if choice.cases:
        return list(choice.cases)[: choice.pictures], list(dict.fromkeys(choice.cases))
    ranked = list(story.ranking.values)
    pictured = evenly(ranked or names, choice.pictures)
    worst, best = tables.extremes(ranked)
    dropped = sorted(story.dropped, key=lambda name: story.dropped[name])[: tables.EXTREMES]
    viewed = first_of(choice.viewers, pictured, worst, best, dropped, evenly(names, choice.viewers), names)
    return pictured, viewed


def render(
    story: Story,
    splits: dict[str, str],
    shown: list[ShownCase],
    failed: dict[str, str],
    comparison: dict[str, Any] | None = None,
) -> bytes:
    """The page. All that comes from the project is escaped by the template, or by the charts' own XML."""
    style, script = resource("style.css"), resource("viewer.js")
    page = (
        environment()
        .get_template("report.html")
        .render(
            story=story,
            stages={line.stage: line for line in story.stages},
            order=STEPS,
            pictured=[case for case in shown if _is_pictured(case)],
            viewed=[case for case in shown if _is_viewed(case)],
            places={case.name: index for index, case in enumerate(filter(_is_viewed, shown))},
            failed=failed,
            layers=LAYERS,
            viewer={"layers": [asdict(layer) for layer in LAYERS], "heat": heat_colours()},
            curves=_curves(story),
            similarities=_similarities(story),
            cut=min(story.kept.values(), default=None),
            least=2 * tables.EXTREMES,
            evaluation=_evaluation(story),
            table1=comparison,
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


def _show(project: Project, story: Story, name: str, pictured: bool, viewed: bool) -> ShownCase:
    picture = case_picture(project, name, SLICES)
    chart = None
    if picture.probability.size:
        values, labels = picture.probability.tolist(), picture.labels.tolist()
        first = picture.view.first
        chart = Markup(charts.probability_chart(name, values, labels, first)) if pictured else None
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


def _is_pictured(case: ShownCase) -> bool:
    return bool(case.rows)


def _is_viewed(case: ShownCase) -> bool:
    return bool(case.viewer)


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


def _evaluation(story: Story) -> dict[str, Any] | None:
    if story.evaluation is None:
        return None
    row = tables.ROW_TITLES[final_row(story.evaluation)]
    worst, best = tables.extremes(list(story.ranking.values))
    by_row, by_size = tables.dsc_by_row(story.evaluation), tables.dsc_by_size(story.evaluation)
    return {
        "final": row,
        "final_name": final_row(story.evaluation),
        "rows": story.evaluation["rows"],
        "titles": tables.ROW_TITLES,
        "by_row": Markup(charts.box_chart("DSC of every case by step", "DSC %", by_row)),
        "by_size": Markup(charts.box_chart(f"DSC by tumour size: {row}", "DSC %", by_size)),
        "worst": worst,
        "best": best,
        "failed": story.evaluation["failed"],
        "without_tumour": story.evaluation["without_tumour"],
        "notes": story.evaluation["notes"],
        "lacking": lacking_in_words(story.evaluation),
        "few": few_cases(story.evaluation),
        "paper": PAPER_ROWS,
        "cut": cut_in_words(story.evaluation.get("map_threshold")),
        "whole": story.evaluation["revision"] > 1,
    }
