"""The group of all commands: how it tells wrong usage and Ctrl-C, and how its help shows switches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from clisc_cli.answer import current
from clisc_cli.signals import INTERRUPTED
from clisc_engine.errors import Stopped

WORDS = {"rm": "remove", "delete": "remove", "mv": "move", "ls": "list"}
"""What other programs call a command of ours."""

PYDANTICS = "Value error, "
"""What newer Typers leave of pydantic's words before their own."""

WrongUsage: type[Exception] = typer.BadParameter.__mro__[1]
"""The base of all errors of wrong usage; Typer brings Click's under different names."""


class Program(TyperGroup):
    """What ``clisc`` is; the commands are its own or those of a group in it."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Read the words before a command."""
        with _told():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Read the words after it, and do it."""
        with _told():
            return super().invoke(ctx)

    def get_params(self, ctx: Any) -> Any:
        """The program's own options."""
        params = super().get_params(ctx)
        _without_a_value(params)
        return params

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is named, or the group, with all its switches shown without a value."""
        if args and self.get_command(ctx, args[0]) is None and (near := _in_a_group(self, ctx, args[0])):
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near}?")
        name, command, rest = super().resolve_command(ctx, args)
        for one in (command, *getattr(command, "commands", {}).values()):
            if one is not None:
                _without_a_value(one.get_params(ctx))
        return name, command, rest


def _in_a_group(program: TyperGroup, ctx: Any, word: str) -> str:
    """The commands of that name in groups, e.g. 'cases remove' and 'variant remove'; empty without one."""
    names = program.list_commands(ctx)
    groups = {name: getattr(program.get_command(ctx, name), "commands", {}) for name in names}
    meant = WORDS.get(word, word)
    return " or ".join(f"'{name} {meant}'" for name, inside in groups.items() if meant in inside)


def _without_a_value(params: list[Any]) -> None:
    """Let the help say ``--force``, not ``--force <bool>``."""
    for param in params:
        if getattr(param, "is_flag", False):
            param.metavar = ""


@contextmanager
def _told() -> Iterator[None]:
    """Note wrong usage for the answer in JSON; Typer shows it. Ctrl-C for the second time is a stop."""
    try:
        yield
    except WrongUsage as error:
        error.message = error.message.removeprefix(PYDANTICS)  # type: ignore[attr-defined]
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "clisc"
        current().note_wrong_usage(error.format_message(), command)  # type: ignore[attr-defined]
        raise
    except KeyboardInterrupt:
        raise Stopped(INTERRUPTED) from None
