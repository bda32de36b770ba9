"""``clisc clean``."""

from __future__ import annotations

from typing import Annotated

import typer

from clisc_cli.console import print_json, print_line, result_console
from clisc_cli.named import Directory
from clisc_cli.options import RunOptions
from clisc_cli.session import Session
from clisc_cli.switches import Json, Quiet, Verbose
from clisc_cli.words import bytes_in_words

MEANING = {
    "cache": "SAM's embeddings, which only save time",
    "states": "states of finished trainings, which only further epochs would need",
}


def command(
    context: typer.Context,
    directory: Directory = None,
    cache: Annotated[bool, typer.Option("--cache", help=f"Remove {MEANING['cache']}.")] = False,
    states: Annotated[bool, typer.Option("--states", help=f"Remove {MEANING['states']}.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed.")] = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Win disk space: remove what no result needs. Without --cache and --states it only says how much.

    No result becomes stale or is lost. States of trainings under way stay.

    Example: clisc clean glioma --cache --states
    """
    if context.ensure_object(Session).is_left_to_rank_0("clean"):
        return
    from clisc_engine.upkeep.cleaning import clean, cleanable

    removing = (cache or states) and not dry_run
    options = RunOptions(context, dry_run=not removing, json_=json_, quiet=quiet)
    project = options.open_to_change(directory)
    found = cleanable(project)
    won = clean(project, found, cache=cache, states=states) if removing else 0
    if json_:
        print_json({"bytes": found.bytes, "removed": won, "dry_run": not removing})
        return
    console = result_console()
    asked = {"cache": cache, "states": states}
    for kind, size in found.bytes.items():
        verb = "removed" if asked[kind] and removing else "would be removed" if asked[kind] else "may go"
        option = "" if asked[kind] else f" (--{kind})"
        line = f"{kind}: {bytes_in_words(size)} {verb}{option}: {MEANING[kind]}"
        print_line(line)
    if removing:
        console.print(f"{bytes_in_words(won)} won", markup=False)
