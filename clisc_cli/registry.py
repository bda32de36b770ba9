"""The commands by name: eight stages in the order of the paper, and what helps to run and see them.

A call builds only the command that it names: to read what forty commands take costs as much time as most
calls that find nothing to do.
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Annotated, Any

import typer

from clisc_cli.program import Program
from clisc_cli.session import Session

PANELS: Mapping[str, tuple[str, ...]] = {
    "The method, step by step": (
        *("init", "label", "cam", "amda"),
        *("prompt-sam", "train", "self-train", "evaluate"),
    ),
    "Compare": ("baseline", "compare", "sweep", "variant"),
    "All at once": ("run", "demo"),
    "See and steer": (
        *("status", "show", "report", "trust", "explain"),
        *("verify", "clean", "cases", "config"),
    ),
    "This machine": ("doctor", "models", "schema"),
    "Take the results away": ("predict", "export"),
}
"""The modules of `clisc_cli.commands` (dashes are underscores there), by the panel of the help."""

PANEL_OF = {name: panel for panel, names in PANELS.items() for name in names}
CONTEXTS: Mapping[str, dict[str, Any]] = {"init": {"allow_extra_args": True}}
"""Of commands that say themselves what is wrong with further arguments."""
OVERVIEWS: tuple[list[str], ...] = ([], ["--help"], ["-h"], ["--version"])
"""Lines that run no command, and show at most a line of each."""


def app_for(arguments: Sequence[str]) -> typer.Typer:
    """An app that does with these arguments what the whole one does."""
    if "_CLISC_COMPLETE" in os.environ:
        return whole_app()
    if arguments and arguments[0] in PANEL_OF:
        return _app([arguments[0]])
    return _app(PANEL_OF, outlined=True) if list(arguments) in OVERVIEWS else whole_app()


def whole_app() -> typer.Typer:
    """The app with all commands."""
    return _app(PANEL_OF)


def _app(names: Iterable[str], *, outlined: bool = False) -> typer.Typer:
    """An app with these commands; ``outlined`` ones have a line in the help and nothing else."""
    app = typer.Typer(
        name="clisc",
        cls=Program,
        help="Brain tumour segmentation in FLAIR MRI without labels: the CLISC method, step by step.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in names:
        module = importlib.import_module(f"clisc_cli.commands.{name.replace('-', '_')}")
        panel = PANEL_OF[name]
        if outlined:
            app.command(name, help=_help(module), rich_help_panel=panel)(_outlined)
        elif hasattr(module, "app"):
            app.add_typer(module.app, name=name, rich_help_panel=panel)
        else:
            app.command(name, rich_help_panel=panel, context_settings=CONTEXTS.get(name))(module.command)
    return app


def _help(module: ModuleType) -> str:
    return str(module.app.info.help if hasattr(module, "app") else inspect.getdoc(module.command))


def _outlined() -> None:
    """Stands for a command in an overview."""


def _print_version(wanted: bool) -> None:
    if wanted:
        from clisc_engine import __version__

        typer.echo(f"clisc {__version__} (research software, not a medical device)")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Version.")
    ] = False,
) -> None:
    """Brain tumour segmentation in FLAIR MRI without labels: the CLISC method, step by step."""
    if context.ensure_object(Session).is_left_to_rank_0(context.invoked_subcommand or ""):
        raise typer.Exit
