"""``clisc report``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from clisc_cli.completion import case_names
from clisc_cli.console import Terminal, print_json, print_line
from clisc_cli.named import Directory, names_in, open_named, some_names
from clisc_cli.places import file_of_kind, or_elsewhere
from clisc_cli.session import Session
from clisc_cli.switches import Json, Quiet, Variant, Verbose
from clisc_cli.words import bytes_in_words


def command(
    context: typer.Context,
    directory: Directory = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File to write; else results/report.html.", show_default=False),
    ] = None,
    cases: Annotated[
        list[str] | None,
        typer.Option(
            "--cases",
            metavar="NAMES",
            help="Show these cases (commas), not those chosen by result.",
            callback=some_names,
            autocompletion=case_names,
            show_default=False,
        ),
    ] = None,
    pictures: Annotated[int, typer.Option(min=0, max=100, help="At most so many cases as pictures.")] = 3,
    viewers: Annotated[
        int, typer.Option(min=0, max=500, help="At most so many cases in the viewer, unless named.")
    ] = 24,
    variant: Variant = None,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write one HTML file that tells the run's story: steps, charts, pictures, a viewer of the slices.

    It needs no network and nothing beside it. The reference is shown only where `evaluate` has measured
    the case.

    Example: clisc report glioma -o glioma.html --cases patient-007,patient-012
    """
    from clisc_engine.report.write import PAGES, Choice, write_report
    from clisc_engine.running.control import Control

    if out is not None:
        file_of_kind(out, PAGES, "a page")
    project = open_named(directory, variant)
    terminal = Terminal(quiet=quiet)
    control = Control(progress=terminal, stop=context.ensure_object(Session).stop)
    path = out or project.results / "report.html"
    with or_elsewhere(out):
        written = write_report(project, path, Choice(names_in(cases or ()), pictures, viewers), control)
    for name, why in written.failed.items():
        terminal.warn(f"{name} is left out: {why}")
    if json_:
        print_json(asdict(written))
        return
    print_line(f"{written.file}: {bytes_in_words(written.size)}")
