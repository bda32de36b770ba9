"""``clisc schema``."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from clisc_cli.switches import Verbose


def _with_json(ctx: typer.Context, incomplete: str) -> list[str]:
    """Commands that take --json."""
    return [name for name in answering_commands(ctx.find_root().command) if name.startswith(incomplete)]


def answering_commands(group: Any, above: str = "") -> list[str]:
    """The words of every command in a group, or in a group of it, that takes --json."""
    found: list[str] = []
    for name, command in group.commands.items():
        words = f"{above}{name}"
        if hasattr(command, "commands"):
            found += answering_commands(command, f"{words} ")
        elif any("--json" in parameter.opts for parameter in command.params):
            found.append(words)
    return found


def command(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[COMMAND]", help="One command, e.g. export masks.", autocompletion=_with_json
        ),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Print the JSON Schema (2020-12) of what a command answers with --json; without one, of all.

    Example: clisc schema status
    """
    from clisc_cli.answers.registry import ANSWERS
    from clisc_cli.answers.schema import schema_of, schema_of_all

    name = " ".join(words or [])
    if name and name not in ANSWERS:
        known = answering_commands(context.find_root().command)
        raise typer.BadParameter(
            f"{name!r} is no command with --json; there are {', '.join(known)}", param_hint="COMMAND"
        )
    json.dump(schema_of(name) if name else schema_of_all(), sys.stdout, indent=2)
    sys.stdout.write("\n")
