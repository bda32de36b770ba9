"""``clisc baseline``."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clisc_cli.console import print_json
from clisc_cli.options import Directory, RunOptions, Splits, chosen_splits, with_run_options
from clisc_cli.reports import show_report
from clisc_engine.products.rivals import Baseline

if TYPE_CHECKING:
    from clisc_engine.project.project import Project


@with_run_options
def command(
    method: Annotated[Baseline, typer.Argument(metavar="NAME", help="Method of Table 1, or all.")],
    directory: Directory = None,
    splits: Splits = None,
    *,
    options: RunOptions,
) -> None:
    """Run a method of the paper's Table 1 on the same cases; `clisc evaluate --table1` compares them.

    Example: clisc baseline amcons glioma --device cuda
    """
    from clisc_engine.baselines.methods import run_baseline

    project = options.open_project(directory)
    chosen = chosen_splits(splits, ("test",))
    if method != "all":
        show_report(run_baseline(method, project, options.control(), chosen), options)
        return
    _run_all(project, chosen, options)


def _run_all(project: Project, splits: tuple[str, ...], options: RunOptions) -> None:
    """Every method that the project allows; one that fails does not stop the others."""
    from clisc_engine.baselines.methods import impossible, run_baseline
    from clisc_engine.errors import BadInput, CasesFailed, MissingStage
    from clisc_engine.products.rivals import METHODS

    control = options.control()
    reports: list[dict[str, Any]] = []
    failures: dict[str, CasesFailed | BadInput | MissingStage] = {}
    for method in METHODS:
        if why := impossible(method, project, splits):
            control.progress.say(f"baseline {method}: skipped, since {why}")
            continue
        try:
            report = run_baseline(method, project, control, splits)
            reports.append(asdict(report))
            show_report(report, replace(options, json_=False), silent=options.json_)
        except (BadInput, MissingStage, CasesFailed) as error:
            control.progress.say(f"baseline {method}: {error}")
            failures[method] = error
    if options.json_:
        print_json({"baselines": reports, "failed": {name: str(why) for name, why in failures.items()}})
    if failures:
        first = next(iter(failures.values()))
        raise type(first)(f"{', '.join(failures)} failed; the others are kept. {first}")
