"""``clisc baseline``."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clisc_cli.console import print_json
from clisc_cli.named import Directory, Splits, chosen_splits
from clisc_cli.options import RunOptions, with_run_options
from clisc_cli.reports import show_report
from clisc_engine.products.rivals import METHODS

if TYPE_CHECKING:
    from clisc_engine.project.project import Project


def _methods(incomplete: str) -> list[str]:
    return [name for name in ("all", *METHODS) if name.startswith(incomplete)]


Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help=f"{', '.join(METHODS)}, all, or a Python file of your own (docs/comparison.md).",
        autocompletion=_methods,
        show_default=False,
    ),
]


@with_run_options
def command(name: Name, directory: Directory = None, splits: Splits = None, *, options: RunOptions) -> None:
    """Run a method of the paper's Table 1 on the same cases; `clisc evaluate --table1` compares them.

    Example: clisc baseline amcons glioma --device cuda
    """
    _check(name)
    chosen = chosen_splits(splits, ("test",))
    project = options.open_project(directory)
    if name == "all":
        _run_all(project, chosen, options)
        return
    if name.endswith(".py"):
        from clisc_engine.baselines.own import run_own

        show_report(run_own(Path(name), project, options.control(), chosen), options)
        return
    from clisc_engine.baselines.methods import run_baseline

    show_report(run_baseline(name, project, options.control(), chosen), options)


def _check(name: str) -> None:
    """Refuse what is no method, before anything is opened.

    Raises:
        BadParameter: with the nearest name.
    """
    if name in ("all", *METHODS) or name.endswith(".py"):
        return
    from difflib import get_close_matches

    close = get_close_matches(name, ("all", *METHODS), n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}" if close else ""
    raise typer.BadParameter(
        f"there is no method {name!r}{hint}. There are {', '.join(METHODS)}, all, or a file of your own "
        "(NAME.py)",
        param_hint="NAME",
    )


def _run_all(project: Project, splits: tuple[str, ...], options: RunOptions) -> None:
    """Every method that the project allows; one that fails does not stop the others."""
    from clisc_engine.baselines.methods import impossible, run_baseline
    from clisc_engine.errors import BadInput, CasesFailed, MissingStage

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
