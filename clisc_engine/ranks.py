"""The processes that share one command's work, as the engine sees them; by default there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

Value = TypeVar("Value")


def nothing() -> None:
    """Do nothing."""


class Ranks(Protocol):
    """This process among those of its command.

    All ranks come to `share`, `gather` and `queue` in the same order; what they exchange goes through
    JSON. Each of these raises `RankLost` when a rank has died, and `EndedElsewhere` when one has ended by
    an error or was stopped.
    """

    rank: int
    count: int

    def share(self, make: Callable[[], Value]) -> Value:
        """What rank 0 makes; it alone does."""

    def gather(self, value: Value, meanwhile: Callable[[], None] = nothing) -> list[Value]:
        """Every rank's value, in the order of ranks; ``meanwhile`` is called while waiting."""

    def queue(self, length: int) -> Queue:
        """Units 0 to ``length`` - 1, each for the rank that first asks for work."""

    def check(self) -> None:
        """Raise when a rank was lost or has ended by an error."""


class Queue(Protocol):
    """Units of work that the ranks share."""

    def __iter__(self) -> Iterator[int]:
        """The units that fall to this rank, as it asks for them."""

    def finish(self) -> int:
        """This rank has finished a unit; how many all ranks have finished since it last asked."""

    def finished(self) -> int:
        """How many units all ranks have finished since this one last asked."""


class Alone:
    """One process does it all."""

    rank, count = 0, 1

    def share(self, make: Callable[[], Value]) -> Value:
        """What is made here."""
        return make()

    def gather(self, value: Value, meanwhile: Callable[[], None] = nothing) -> list[Value]:
        """The one value."""
        return [value]

    def queue(self, length: int) -> Queue:
        """All units, in order."""
        return _Line(length)

    def check(self) -> None:
        """Nobody can be lost."""


class _Line:
    def __init__(self, length: int) -> None:
        self.length = length

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.length))

    def finish(self) -> int:
        return 1

    def finished(self) -> int:
        return 0
