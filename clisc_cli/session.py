"""One call of the command line: its wish to stop, what it holds, and the processes it shares work with."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clisc_engine.control import StopFlag
from clisc_engine.launch import Place
from clisc_engine.products.graph import STEPS
from clisc_engine.ranks import Alone, Ranks

if TYPE_CHECKING:
    from clisc_engine.group import Group

SHARED = (*STEPS, "run", "predict")
"""Commands whose work several ranks share; any other is rank 0's alone, and the others wait."""


@dataclass
class Session:
    """One call.

    Attributes:
        stop: set by signals.
        place: among the processes that a launcher started.
        resources: what is held until all ranks are done, such as the project's lock.
        ranks: those that share the work, once `join` was called.
    """

    stop: StopFlag = field(default_factory=StopFlag)
    place: Place = field(default_factory=Place)
    resources: ExitStack = field(default_factory=ExitStack)
    ranks: Ranks = field(default_factory=Alone)
    _group: Group | None = None

    def join(self, command: str) -> Ranks:
        """Meet the other ranks, if there are any, and share the work with them."""
        if self.place.count > 1 and self._group is None:
            self.ranks = self._meet(command)
        return self.ranks

    def is_left_to_rank_0(self, command: str) -> bool:
        """Meet the others for a command that rank 0 does alone; whether this rank has nothing to do."""
        if self.place.count == 1 or command in SHARED:
            return False
        self._meet(f"clisc {command}")
        return self.place.rank > 0

    def leave(self, code: int, message: str, *, derived: bool) -> tuple[int, str]:
        """The command's exit code and message, on which all ranks agree."""
        if self._group is None:
            return code, message
        from clisc_engine.group import Ending

        agreed = self._group.leave(Ending(code, message, derived))
        return agreed.code, agreed.message

    def _meet(self, command: str) -> Group:
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # a rank's death is told in our words
        from clisc_engine.group import Group

        self._group = Group(self.place, self.stop, command, _last_words)
        return self._group


def fall_silent() -> None:
    """Rank 0 speaks for all: what the others print goes nowhere. Their logs have it."""
    nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stdout, sys.stderr = nowhere, nowhere


def end_at_once(code: int) -> None:
    """End without taking down torch's communication, which may wait for a rank that is gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _last_words(message: str) -> None:
    os.write(2, f"error: {message}\n".encode())
