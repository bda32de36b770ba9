"""The processes that share one command's work, as the engine sees them; by default there is one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar, cast

Value = TypeVar("Value")


class Ending(NamedTuple):
    """How a command ended: its exit code, what to say of it (empty when all went well), and what to run."""

    code: int = 0
    message: str = ""
    run: Sequence[str] | None = None


class Ranks:
    """This process, number ``rank`` of the ``count`` that share the work; here it is the only one.

    `group.ProcessGroup` is one of several. All call `share`, `gather` and `queue` in the same order;
    what they exchange goes through JSON. While they wait, and in `check`, an ``EndedElsewhere`` or a
    ``RankLost`` tells how another one ended.
    """

    rank, count, queues = 0, 1, 0

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self._counts: Counter[str] = Counter()

    def gather(self, value: Value, meanwhile: Callable[[], None] = lambda: None) -> list[Value]:
        """Every rank's value, in the order of ranks; ``meanwhile`` is called while waiting."""
        return [value]

    def share(self, make: Callable[[], Value]) -> Value:
        """What rank 0 makes; it alone does."""
        return cast(Value, self.gather(make() if self.rank == 0 else None)[0])

    def queue(self, length: int) -> WorkQueue:
        """Units 0 to ``length`` - 1 of work, each for the rank that first asks for it."""
        self.queues += 1
        return WorkQueue(self, f"queue-{self.queues}", length)

    def add(self, counter: str, more: int) -> int:
        """Add to a counter of all ranks; what it is then."""
        self._counts[counter] += more
        return self._counts[counter]

    def check(self) -> None:
        """Raise when another rank has ended before all was done."""


class WorkQueue:
    """Units of work that the ranks share."""

    def __init__(self, ranks: Ranks, name: str, length: int) -> None:
        """Each rank has its first unit; ``name`` is the queue's own."""
        self._ranks, self._name, self._length, self._known = ranks, name, length, 0

    def __iter__(self) -> Iterator[int]:
        """The units that fall to this rank, as it asks for them."""
        unit = self._ranks.rank
        while unit < self._length:
            yield unit
            unit = self._ranks.count - 1 + self._ranks.add(f"{self._name}/taken", 1)

    def finish(self) -> int:
        """This rank has finished a unit; how many all ranks have since it last asked."""
        return self.finished(1)

    def finished(self, here: int = 0) -> int:
        """How many units all ranks have finished since this one last asked, which has finished ``here``."""
        before, self._known = self._known, self._ranks.add(f"{self._name}/done", here)
        return self._known - before
