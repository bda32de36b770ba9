"""One call of the command line: its wish to stop, what it holds, and the processes it shares work with."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clisc_engine.products.graph import STEPS
from clisc_engine.running.control import StopFlag
from clisc_engine.running.launch import RankInfo
from clisc_engine.running.ranks import Ending, Ranks

if TYPE_CHECKING:
    from clisc_engine.running.group import ProcessGroup

SHARED = (*STEPS, "run", "predict", "baseline", "sweep")
"""Commands whose work several ranks share; any other is rank 0's alone, and the others wait."""


@dataclass
class Session:
    """One call.

    Attributes:
        stop: set by signals.
        info: which it is of the processes that a launcher started.
        resources: what is held until all ranks are done, such as the project's lock.
        ranks: those that share the work, once `join` was called.
        told: what was said and is said once.
    """

    stop: StopFlag = field(default_factory=StopFlag)
    info: RankInfo = field(default_factory=RankInfo)
    resources: ExitStack = field(default_factory=ExitStack)
    ranks: Ranks = field(default_factory=Ranks)
    told: set[str] = field(default_factory=set)
    _group: ProcessGroup | None = None
    _has_set_out: bool = False

    def join(self) -> Ranks:
        """Meet the other ranks, if there are any."""
        if self.info.world_size > 1 and self._group is None:
            os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # a rank's death is told in our words
            from clisc_engine.running.group import ProcessGroup

            self._has_set_out = True
            self.ranks = self._group = ProcessGroup(self.info, self.stop)
        return self.ranks

    def is_left_to_rank_0(self, command: str) -> bool:
        """Meet the others for a command that rank 0 does alone; whether this rank has nothing to do."""
        if command in SHARED or self.info.world_size == 1:
            return False
        self.join()
        self.ranks = Ranks()
        return self.info.rank > 0

    def leave(self, own: Ending) -> Ending:
        """How the command ended, on which all ranks agree; rank 0 says it, or another that misses it."""
        if self._group is None:
            if self._has_set_out:
                sys.stderr = sys.__stderr__  # no other rank was met that could say it
            return own
        end = self._group.leave(own)
        if self.info.rank and end is own and not self._group.all_left:
            sys.stderr = sys.__stderr__
        return end

    def close(self, code: int) -> None:
        """End the process, in step with the others; torch's own way out may wait for the dead."""
        if not self._has_set_out:
            sys.exit(code)
        if self._group is not None:
            self._group.part()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def fall_silent() -> None:
    """Rank 0 speaks for all: what the others print goes nowhere. Their logs have it."""
    nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stdout, sys.stderr = nowhere, nowhere
