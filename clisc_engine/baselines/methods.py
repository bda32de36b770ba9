"""The rivals by name, and how each is run: a method's networks are imported when there is work for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clisc_engine.errors import BadInput
from clisc_engine.products.rivals import METHODS, Method
from clisc_engine.project.project import Project
from clisc_engine.running import journal
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Report

if TYPE_CHECKING:
    from clisc_engine.baselines.method import MapRow

READ_REFERENCES: tuple[Method, ...] = ("sam-reference", "supervised")
"""The methods that read reference masks, by design; the others are label-free."""


def run_baseline(name: str, project: Project, control: Control, splits: tuple[str, ...]) -> Report:
    """Run one of the `METHODS` and note it in the journal; what is fresh is skipped.

    Raises:
        BadInput: when it lacks what it learns from.
        MissingStage: when a step that it needs has not been run.
    """
    with journal.entry(project, f"baseline {name}", control) as note:
        report = _run(name, project, control, splits)
        note.worked = bool(report.done or report.failed)
        note.made = [*report.done, *report.fresh]
    return report


def impossible(name: Method, project: Project, splits: Sequence[str]) -> str:
    """Why this project cannot have a method at all; empty where it can."""
    needed = {"sam-reference": set(splits), "supervised": {"train"}}.get(name)
    having = {case.info.split for case in project.cases() if case.info.has_reference}
    if needed is None or needed & having:
        return ""
    return f"it reads reference masks, and no {' or '.join(sorted(needed))} case has one"


def _run(name: str, project: Project, control: Control, splits: tuple[str, ...]) -> Report:
    """Each method is imported when it runs."""
    match name:
        case "otsu":
            from clisc_engine.baselines.otsu import otsu

            return otsu(project, control, splits)
        case "phantoms-only":
            from clisc_engine.baselines.phantoms_only import phantoms_only

            return phantoms_only(project, control, splits)
        case "salip":
            from clisc_engine.baselines.salip.step import salip

            return salip(project, control, splits)
        case "sam-reference":
            from clisc_engine.baselines.sam_reference import sam_reference

            return sam_reference(project, control, splits)
        case "supervised":
            from clisc_engine.baselines.supervised import supervised

            return supervised(project, control, splits)
    from clisc_engine.baselines.learned import run_rows

    if name not in METHODS:
        raise BadInput(f"There is no method {name!r}; there are {', '.join(METHODS)}.")
    rows = ("sim2real-stage1", "sim2real") if name == "sim2real" else (name,)
    return run_rows(f"baseline {name}", rows, _method_of, project, control, splits)


def _method_of(row: str) -> MapRow:
    """How a row's network is trained and applied; asked for when there is something to train or to map."""
    match row:
        case "amcons":
            from clisc_engine.baselines.amcons.method import AMCONS

            return AMCONS
        case "gradcamcons":
            from clisc_engine.baselines.gradcamcons.method import GRADCAMCONS

            return GRADCAMCONS
        case "if3d":
            from clisc_engine.baselines.if3d.method import IF3D

            return IF3D
        case "sim2real-stage1":
            from clisc_engine.baselines.sim2real.method import STAGE1_ROW

            return STAGE1_ROW
        case "sim2real":
            from clisc_engine.baselines.sim2real.method import STAGE2_ROW

            return STAGE2_ROW
    raise ValueError(f"{row!r} is no row of a method of maps")
