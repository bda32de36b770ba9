"""The report as one HTML file that needs nothing else: no network, no folder beside it.

A report that would come out the same is not written again: whether it would is told by all its words and
numbers and by the seals of what it pictures, without a voxel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clisc_engine.errors import BadInput
from clisc_engine.outputs.inputs import Inputs
from clisc_engine.outputs.outputs import Made, Outputs
from clisc_engine.project.project import Project
from clisc_engine.report import tables
from clisc_engine.report.choose import evenly, first_of
from clisc_engine.report.gather import Story, gather, with_labels
from clisc_engine.report.told import what_is_told
from clisc_engine.running.control import Control

if TYPE_CHECKING:
    from clisc_engine.report.rendering import ShownCase

PAGES = (".html", ".htm")
"""Endings of a report's file."""

_PICTURED, _VIEWED = "pictured", "viewed"


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


def write_report(project: Project, path: Path, choice: Choice, control: Control) -> Written:
    """Write the report of a project, however far it is, unless the file there would come out the same.

    Cases whose arrays cannot be read, e.g. since they are just being made, are left out and named.

    Raises:
        BadInput: when a named case does not exist; or there is a file that clisc did not write.
        DiskFault: when the disk does not take the file.
    """
    outputs = Outputs(Inputs.of_project(project), "Choose another file with -o, or move that one away.")
    outputs.check([path])
    glance = project.glance()
    story = gather(glance)
    splits = {case.info.name: case.info.split for case in glance.cases()}
    pictured, viewed = chosen_cases(story, list(splits), choice)
    told = what_is_told(glance, story, splits, pictured, viewed)
    made_from = {"project": str(project.root.absolute()), "told": told}
    last = outputs.made_of(path)
    if last is not None and (before := _written_before(path, last, made_from)) is not None:
        control.progress.say("The report is up to date; it is not written anew.")
        return before
    from clisc_engine.report.comparison import compared
    from clisc_engine.report.rendering import render

    shown, failed = _shown(project, story, splits, pictured, viewed, control)
    comparison = compared(project)
    if comparison:
        failed |= comparison["figure"].failed
    page = render(with_labels(story, glance.cases()), splits, shown, failed, comparison)
    written = Written(
        path,
        len(page),
        [case.name for case in shown if case.is_pictured],
        [case.name for case in shown if case.is_viewed],
        failed,
    )
    if not failed:  # what could not be read may be readable the next time
        made_from |= {_PICTURED: ",".join(written.pictured), _VIEWED: ",".join(written.viewed)}
    outputs.put_bytes(path, page, Made("report", made_from))
    return written


def chosen_cases(story: Story, names: list[str], choice: Choice) -> tuple[list[str], list[str]]:
    """The cases to picture and those for the viewer, the pictured ones first.

    An evaluation may name cases that were renamed or removed since; of those there is nothing to show.
    """
    if choice.cases:
        return list(choice.cases)[: choice.pictures], list(dict.fromkeys(choice.cases))
    ranked = [name for name in story.ranking.values if name in names]
    pictured = evenly(ranked or names, choice.pictures)
    worst, best = tables.extremes(ranked)
    dropped = [name for name in sorted(story.dropped, key=story.dropped.__getitem__) if name in names]
    least = dropped[: tables.EXTREMES]
    viewed = first_of(choice.viewers, pictured, worst, best, least, evenly(names, choice.viewers), names)
    return pictured, viewed


def _shown(
    project: Project,
    story: Story,
    splits: Mapping[str, str],
    pictured: Sequence[str],
    viewed: Sequence[str],
    control: Control,
) -> tuple[list[ShownCase], dict[str, str]]:
    """The cases as the page shows them, and those that cannot be read with the reason."""
    from clisc_engine.report.rendering import show

    shown: list[ShownCase] = []
    failed: dict[str, str] = {}
    wanted = list(dict.fromkeys([*pictured, *viewed]))
    control.progress.begin("report", len(wanted), "case")
    for name in wanted:
        control.check_stop()
        try:
            shown.append(show(project, story, name, name in pictured, name in viewed))
        except BadInput as error:
            if name not in splits:
                raise
            failed[name] = str(error)
        control.progress.advance(name)
    control.progress.end()
    return shown, failed


def _written_before(path: Path, last: Made, made_from: Mapping[str, str]) -> Written | None:
    """What the file that is there shows, if it was made from the same; else None."""
    known = dict(last.made_from)
    pictured, viewed = (known.pop(key, None) for key in (_PICTURED, _VIEWED))
    if last.what != "report" or pictured is None or viewed is None or known != made_from:
        return None
    in_pictures, in_viewer = ([name for name in text.split(",") if name] for text in (pictured, viewed))
    return Written(path, path.stat().st_size, in_pictures, in_viewer)
