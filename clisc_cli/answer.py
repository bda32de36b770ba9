"""The one JSON document of a call with ``--json``: what the command found, how it went wrong, or both.

A command gives its answer when it has it; it is written when the call ends, so that an error that comes
after it, such as that some cases failed, stands in the same document.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

from clisc_engine.running.ranks import Ending

SCHEMA = "clisc/1"
"""Version of all answers: within it keys may come, and none goes or changes its type or meaning."""

Kind = Literal["unexpected", "wrong-usage", "bad-input", "missing-stage", "cases-failed", "stopped"]
KINDS: Mapping[int, Kind] = {
    1: "unexpected",
    2: "wrong-usage",
    3: "bad-input",
    4: "missing-stage",
    5: "cases-failed",
    75: "stopped",
}
"""The word for each exit code, as docs/batch.md lists them."""


class Answer:
    """What one call says in the end."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """``arguments`` are those of the call, after the program's name."""
        self._arguments = list(arguments)
        self._found: Mapping[str, Any] | None = None
        self._wrong_usage: tuple[str, str] = "", ""

    @property
    def as_json(self) -> bool:
        """Whether the call asks for JSON; told from the words, for they may be no command."""
        return "--json" in self._arguments

    def give(self, document: Mapping[str, Any]) -> None:
        """What the command found."""
        self._found = document

    def note_wrong_usage(self, message: str, command: str) -> None:
        """That ``command``, e.g. ``clisc export masks``, was called wrongly; the user is told elsewhere."""
        self._wrong_usage = message, command

    def document(self, ending: Ending) -> dict[str, Any] | None:
        """The document of a call that ended so; None where there is nothing to say in JSON."""
        found = {"schema": SCHEMA, **(self._found or {})}
        if ending.code and self.as_json:
            return {**found, "error": self._error(ending)}
        return None if self._found is None else found

    def write(self, ending: Ending) -> None:
        """Write the document to stdout, if there is one."""
        document = self.document(ending)
        if document is not None:
            json.dump(document, sys.stdout, indent=2, default=str)
            sys.stdout.write("\n")

    def _error(self, ending: Ending) -> dict[str, Any]:
        message, command = self._wrong_usage
        run = ending.run
        if ending.code == 75:
            run = ["clisc", *self._arguments]
        elif command:
            run = [*command.split(), "--help"]
        kind = KINDS.get(ending.code, "unexpected")
        return {"code": ending.code, "kind": kind, "message": ending.message or message, "run": run}


_current: ContextVar[Answer | None] = ContextVar("answer", default=None)


@contextmanager
def answering(arguments: Sequence[str]) -> Iterator[Answer]:
    """The answer of a call that lasts as long as the block."""
    answer = Answer(arguments)
    token = _current.set(answer)
    try:
        yield answer
    finally:
        _current.reset(token)


def current() -> Answer:
    """The answer of this call; outside of one, an answer that nobody reads."""
    return _current.get() or Answer(())
