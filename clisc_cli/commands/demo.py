"""``clisc demo``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from clisc_cli.commands.run import run_stages
from clisc_cli.completion import settings_and_values
from clisc_cli.console import print_json, print_line
from clisc_cli.options import RunOptions
from clisc_cli.switches import Json, Quiet

SPLIT_RATIO = "21:1:8"
"""More test cases than the paper's 7:1:2, since a demo has few."""

MOST_WORKERS = 4
"""Phantoms drawn at a time; each takes some 240 MB."""


def command(
    context: typer.Context,
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Folder to make.", show_default=True)
    ] = Path("clisc-demo"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the phantoms and of all draws.")] = 0,
    cases: Annotated[int, typer.Option(min=5, max=500, help="How many phantoms.")] = 72,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a setting of the tiny preset.",
            autocompletion=settings_and_values,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be made.")] = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Make phantom volumes and run every stage on them with the bundled tiny models.

    Example: clisc demo --seed 7
    """
    from clisc_engine.importing.demo import make_data_set
    from clisc_engine.running.cores import usable_cores
    from clisc_engine.settings.keys import parse_assignment, with_changes
    from clisc_engine.settings.presets import preset
    from clisc_engine.stages.init import Request, initialise
    from clisc_engine.stages.pipeline import between
    from clisc_engine.stages.requirements import check_settings

    changes = dict(parse_assignment(text) for text in assignments or [])
    settings = with_changes(preset("tiny"), {"seed": seed, **changes}, "--set")
    steps = between(None, None)
    check_settings(settings, steps)
    if dry_run:
        _show_plan(directory, cases, steps, json_)
        return
    workers = min(usable_cores(), MOST_WORKERS)
    options = RunOptions(context, workers=workers, json_=json_, quiet=quiet, verbose=verbose)
    options.hold(directory / "project")
    control = options.control()
    data = make_data_set(directory / "data", seed=seed, cases=cases, control=control)
    request = Request(
        root=directory / "project",
        images=str(data / "images"),
        references=str(data / "references"),
        split_file=None,
        split_ratio=SPLIT_RATIO,
        skip_bad=False,
    )
    project = initialise(request, settings, control).project
    document, failed = run_stages(project, steps, options, control)
    if json_:
        print_json(document["evaluation"])
    if failed:
        raise failed
    control.progress.say(f"Project: {project.root}   volumes: {data}")


def _show_plan(directory: Path, cases: int, steps: Sequence[str], json_: bool) -> None:
    if json_:
        print_json({"folder": str(directory), "phantoms": cases, "steps": list(steps)})
        return
    line = f"demo: would draw {cases} phantoms in {directory / 'data'} and run {', '.join(steps)} on them"
    print_line(f"{line} in {directory / 'project'}")
