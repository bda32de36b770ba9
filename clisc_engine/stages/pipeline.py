"""The stages by name, in the order of the paper."""

from __future__ import annotations

import importlib
from typing import Any

from clisc_engine.errors import BadInput
from clisc_engine.products.graph import EVALUATE, STEPS
from clisc_engine.products.kinds import Stage
from clisc_engine.project.project import Project
from clisc_engine.running import journal
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Report


def between(first: Stage | None, last: Stage | None) -> list[Stage]:
    """The stages from ``first`` until ``last``, both included; all by default.

    Raises:
        BadInput: when the last comes before the first.
    """
    names = list(STEPS)
    start = names.index(first) if first else 0
    stop = names.index(last) if last else len(names) - 1
    if stop < start:
        raise BadInput(f"--until {last} comes before --from {first}; the order is {', '.join(names)}.")
    return names[start : stop + 1]


def run_stage(name: str, project: Project, control: Control) -> Report:
    """Run one of the graph's `STAGES`; what is fresh is skipped. Its module and function bear its name."""
    function = name.replace("-", "_")
    stage = getattr(importlib.import_module(f"clisc_engine.stages.{function}"), function)
    with journal.entry(project, name, control) as note:
        report: Report = stage(project, control)
        note.worked = bool(report.done or report.failed)
        note.made = [*report.done, *report.fresh]
    return report


def run_evaluation(
    project: Project,
    control: Control,
    *,
    ablation: bool = False,
    splits: tuple[str, ...] = ("test",),
) -> dict[str, Any]:
    """Run `evaluate`; its document."""
    from clisc_engine.stages.evaluate import evaluate
    from clisc_engine.stages.evaluation import tables as evaluation_tables

    before = evaluation_tables.load(project)
    with journal.entry(project, EVALUATE, control) as note:
        document = evaluate(project, control, ablation=ablation, splits=splits)
        note.worked = document != before
    return document
