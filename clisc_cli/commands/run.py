"""``clisc run``, and the loop over the stages that `demo` shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clisc_cli.commands.evaluate import fail_if_unmeasured
from clisc_cli.console import print_json, print_line, result_console
from clisc_cli.named import Directory
from clisc_cli.options import RunOptions, with_run_options
from clisc_cli.reports import disk_in_words, point_to_first_masks, show_report
from clisc_cli.table2 import show_table2
from clisc_cli.words import shortened
from clisc_engine.products.kinds import Stage

if TYPE_CHECKING:
    from clisc_engine.errors import CasesFailed
    from clisc_engine.project.project import Project
    from clisc_engine.running.control import Control


@with_run_options
def command(
    directory: Directory = None,
    first: Annotated[
        Stage | None, typer.Option("--from", help="First step to look at.", show_default=False)
    ] = None,
    last: Annotated[
        Stage | None, typer.Option("--until", help="Last step to look at.", show_default=False)
    ] = None,
    *,
    options: RunOptions,
) -> None:
    """Run every step that is missing or stale, in order, in one process.

    Example: clisc run glioma --until prompt-sam --device cuda
    """
    from clisc_engine.errors import BadInput
    from clisc_engine.stages.pipeline import between
    from clisc_engine.stages.requirements import check_before, find_weights

    try:
        stages = between(first, last)
    except BadInput as error:
        raise typer.BadParameter(str(error), param_hint="--until") from None
    options.refuse_cases(stages)
    project = options.open_project(directory)
    check_before(project, stages)
    if options.dry_run:
        _show_plan(project, stages, options)
        find_weights(project, stages)
        return
    find_weights(project, stages)
    document, failed = run_stages(project, stages, options, options.control())
    if options.json_:
        print_json(document)
    if failed:
        raise failed


def run_stages(
    project: Project, stages: Sequence[str], options: RunOptions, control: Control
) -> tuple[dict[str, Any], CasesFailed | None]:
    """Run the stages, printing each outcome unless the result is to be JSON.

    A stage of which some cases failed does not stop those after it. `evaluate` measures what it was asked
    for the last time, a plain call's cases at first.

    Returns:
        The stages' reports with the evaluation's document (None without references), and the error to
        raise in the end when cases failed in any stage.
    """
    from clisc_engine.errors import CasesFailed
    from clisc_engine.products.graph import EVALUATE
    from clisc_engine.stages.evaluation.asked import Asked, asked_before
    from clisc_engine.stages.pipeline import run_evaluation, run_stage

    reports: list[dict[str, Any]] = []
    failures: list[str] = []
    evaluation = None
    for name in stages:
        if name == EVALUATE and not (asked := asked_before(project)).among(project.cases()):
            which = "test case" if asked == Asked() else f"case of {' '.join(asked.options)}"
            control.progress.say(f"evaluate: skipped, since no {which} has a reference mask")
            continue
        try:
            if name == EVALUATE:
                measuring = replace(control, cases=control.cases or asked.cases)
                evaluation = run_evaluation(project, measuring, splits=asked.splits, seen=asked.seen)
                if not options.json_:
                    show_table2(evaluation, project, options)
                fail_if_unmeasured(evaluation, options)
            else:
                report = run_stage(name, project, control)
                reports.append(asdict(report))
                point_to_first_masks(report, project, options)
                show_report(report, replace(options, json_=False), silent=options.json_)
        except CasesFailed as error:
            failures.append(str(error))
    document = {"stages": reports, "evaluation": evaluation}
    return document, CasesFailed(" ".join(failures)) if failures else None


def _show_plan(project: Project, stages: Sequence[str], options: RunOptions) -> None:
    """What a run would do, told from the seals."""
    from clisc_engine.upkeep.forecast import of_project
    from clisc_engine.upkeep.survey import survey

    chosen = [status for status in survey(project) if status.stage in stages]
    plan = [
        {
            "stage": status.stage,
            "state": status.state,
            "planned": {
                item.case or item.product: item.why for item in status.items if item.state != "fresh"
            },
        }
        for status in chosen
    ]
    disk = None if project.parent else of_project(project)
    if options.json_:
        print_json({"stages": plan, "disk": asdict(disk) if disk else None})
        return
    for status in chosen:
        done, total = status.cases
        text = f"{status.stage}: {status.state}, {done} of {total} up to date"
        if status.state == "impossible":
            text = f"{status.stage}: skipped"
        result_console().print(text + (f" ({shortened(status.why)})" if status.why else ""), markup=False)
    if disk:
        print_line(disk_in_words(disk))
