"""What the terminal shows: results on stdout, everything else on stderr."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from clisc_cli.answer import current
from clisc_cli.words import counted, seconds_in_words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

LOG = "clisc_cli.said"
_log = logging.getLogger(LOG)
_log.propagate = False  # what is said reaches stderr already; only a run's log takes it from here
PATHS = 400
"""Columns of a pipe's lines where a table holds paths: a folded one helps nobody."""


class Terminal:
    """Progress bars on a terminal, plain lines in a batch log, nothing when quiet.

    It is the engine's `Progress`. A run's log hears everything, quiet or not.
    """

    def __init__(self, *, quiet: bool) -> None:
        """Write to stderr, unless ``quiet``."""
        self.quiet = quiet
        self._bars: Progress | None = None
        self._task: TaskID | None = None
        self._label, self._unit, self._before, self._done, self._total = "", "", 0, 0, 0
        self._started = self._first = 0.0

    @cached_property
    def console(self) -> Console:
        """The console for everything but results, on stderr."""
        from rich.console import Console  # after Tab, nobody needs it

        return Console(stderr=True, highlight=False, soft_wrap=True)

    def begin(self, label: str, total: int, unit: str, done: int = 0) -> None:
        """A piece of work starts, or goes on."""
        self._label, self._unit, self._before, self._done, self._total = label, unit, done, done, total
        self._started = time.monotonic()
        if not self.quiet and self.console.is_terminal:
            self._bars = self._new_bars(unit)
            self._bars.start()
            self._task = self._bars.add_task(label, total=total, completed=done, note="")
        elif not self.quiet and unit == "epoch":
            share = f"{total - done} of {counted(total, unit)}" if done else counted(total, unit)
            self._print(f"{label}: {share} to train")

    def advance(self, note: str = "") -> None:
        """One unit is done."""
        self._done += 1
        if self._done - self._before == 1:
            self._first = time.monotonic() - self._started
        _log.info("%s: %s %d/%d %s", self._label, self._unit, self._done, self._total, note)
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, advance=1, note=note)
        elif not self.quiet and self._line_due():
            elapsed = time.monotonic() - self._started
            self._print(
                f"{self._label}: {self._unit} {self._done}/{self._total} {note} "
                f"({_in_words(elapsed)}{self._time_left(elapsed)})"
            )

    def end(self) -> None:
        """The piece of work is over."""
        if self._bars is not None:
            self._bars.stop()
        self._bars = self._task = None

    def say(self, message: str) -> None:
        """A line for the user."""
        _log.info(message)
        if not self.quiet:
            self._print(message)

    def error(self, message: str) -> None:
        """An error; shown even when quiet."""
        self.console.print(f"[bold red]error:[/] {_escaped(message)}")

    def warn(self, message: str) -> None:
        """A warning; shown even when quiet."""
        _log.info("warning: %s", message)
        self.console.print(f"[yellow]warning:[/] {_escaped(message)}")

    def _new_bars(self, unit: str) -> Progress:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(f"{unit}s"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
        )

    def _print(self, message: str) -> None:
        self.console.print(message, markup=False)

    def _time_left(self, elapsed: float) -> str:
        """In words, by the pace since the first unit: that one holds what is loaded and read before."""
        if self._done == self._total:
            return ""
        units = self._done - self._before
        if units == 1:
            bound = "" if self._before else "at most "  # what goes on may begin with a part of one
            return f", {bound}about {_in_words(self._first * (self._total - self._done))} left"
        pace = (elapsed - self._first) / (units - 1)
        return f", about {_in_words(pace * (self._total - self._done))} left"

    def _line_due(self) -> bool:
        """All units of short work; the first two and about twenty others of long work."""
        first = self._done - self._before in (1, 2)
        return first or self._done == self._total or self._done % max(1, self._total // 20) == 0


def print_json(document: Mapping[str, Any]) -> None:
    """Give this call's JSON document, the last one counts; it is written when the call ends (`answer`)."""
    current().give(document)


def result_console(piped: int = 120) -> Console:
    """The console for results, on stdout.

    A pipe gets lines of so many columns, so that tables stay whole, unless ``COLUMNS`` says how many.
    """
    from rich.console import Console

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else piped
    return Console(highlight=False, width=width)


def print_line(line: str) -> None:
    """Print a line of the result as it is, however wide the terminal: a path or a command stays whole."""
    result_console().print(line, markup=False, soft_wrap=True)


def _in_words(seconds: float) -> str:
    """Seconds as whole ones below a minute."""
    return f"{seconds:.0f} s" if seconds < 60 else seconds_in_words(seconds)


def _escaped(message: str) -> str:
    from rich.markup import escape

    return escape(message)
