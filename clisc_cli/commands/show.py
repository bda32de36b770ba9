"""``clisc show``."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from clisc_cli.console import Terminal, print_json, print_line
from clisc_cli.inline import protocol, sequence
from clisc_cli.named import CaseName, DirectoryOrCase, project_and_case
from clisc_cli.places import file_of_kind, or_elsewhere
from clisc_cli.switches import Json, Quiet, Variant, Verbose


def command(
    directory: DirectoryOrCase = None,
    case: CaseName = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Picture (PNG, SVG, ...); else results/<case>.png.", show_default=False
        ),
    ] = None,
    rows: Annotated[int, typer.Option(min=1, max=40, help="How many slices.")] = 5,
    table1: Annotated[
        bool, typer.Option("--table1", help="A column a method of Table 1, as `baseline` ran them.")
    ] = False,
    variant: Variant = None,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Draw what each step made of a case: maps, prompts, masks.

    Terminals that can show pictures (kitty, Ghostty, iTerm2, WezTerm, Konsole) show it at once. The
    reference is drawn only where `evaluate` has measured the case.

    Example: clisc show glioma patient-007 -o patient-007.png
    """
    from clisc_engine.products.kinds import ROUND2, UNET_ROUND2
    from clisc_engine.results.show import PICTURES, show_case

    if out is not None:
        file_of_kind(out, PICTURES, "a picture")
    project, name = project_and_case(directory, case, variant)
    if name is None:
        listing = project.store.home.in_words("cases list")
        raise typer.BadParameter(f"name a case; {listing} and Tab list them", param_hint="CASE")
    path = out or project.results / (f"{name}-table1.png" if table1 else f"{name}.png")
    with or_elsewhere(out):
        shown = show_case(project, name, rows, path, table1=table1)
    if json_:
        print_json({"file": str(path), "slices": shown.slices})
        return
    print_line(str(path))
    if sys.stdout.isatty() and not quiet and path.suffix.lower() == ".png":
        columns = shutil.get_terminal_size().columns
        sys.stdout.write(sequence(path.read_bytes(), protocol(os.environ), columns))
    home = project.store.home
    if table1 and not shown.masks:
        Terminal(quiet=quiet).say(
            f"No method of Table 1 was run on this case; {home.in_words('baseline all')} runs them."
        )
    elif shown.masks and ROUND2 not in shown.masks:
        trained = project.checkpoint(UNET_ROUND2).made_from() is not None
        way = (
            f"{home.in_words('export masks -o MASKS')} predicts and keeps it."
            if trained
            else f"its network is not trained, which {home.in_words('run')} does."
        )
        Terminal(quiet=quiet).say(f"There is no final mask of this case yet; {way}")
