"""Work on many units: shared by the ranks from one queue, or by the threads of one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from clisc_engine.errors import BadInput, DiskFault, Unreadable
from clisc_engine.running.control import Control
from clisc_engine.running.isolation import concerns_one_case, in_words

Unit = TypeVar("Unit")
Value = TypeVar("Value")


class SharedWork:
    """One queue of units for all ranks, with progress over the units that any of them finishes."""

    def __init__(self, count: int, control: Control) -> None:
        """All ranks come here with the same ``count``."""
        self.queue, self._control = control.ranks.queue(count), control

    def finish(self, name: str) -> None:
        """This rank has finished the unit of that name."""
        self._advance(self.queue.finish(), name)

    def gather(self, value: Value) -> list[Value]:
        """Every rank's value, in the order of ranks; progress goes on while the others work."""
        found = self._control.ranks.gather(value, lambda: self._advance(self.queue.finished()))
        self._advance(self.queue.finished())
        return found

    def _advance(self, finished: int, name: str = "") -> None:
        for position in range(finished):
            self._control.progress.advance("" if position else name)


@contextmanager
def shared_work(label: str, count: int, unit: str, control: Control) -> Iterator[SharedWork]:
    """The ranks' common queue of ``count`` units; ``label`` and ``unit`` are what progress shows."""
    work = SharedWork(count, control)
    control.progress.begin(label, count, unit)
    try:
        yield work
    finally:
        control.progress.end()


def spread(
    label: str, units: Mapping[str, Unit], work: Callable[[Unit], Value], control: Control, *, unit: str
) -> tuple[dict[str, Value], dict[str, str]]:
    """Do ``work`` that the store does not hold on every unit, shared with the other ranks.

    Args:
        label: what is shown to be done.
        units: what to work on, by name.
        work: does one unit; returns what JSON can hold.
        control: progress, stop and ranks.
        unit: what a unit is, e.g. ``case``.

    Returns:
        The results, and the errors that concern one unit alone, by name and in the order of ``units``; the
        same on every rank.

    Raises:
        Stopped: when asked to stop.
    """
    results: dict[str, Value] = {}
    errors: dict[str, str] = {}
    names = list(units)
    with shared_work(label, len(names), unit, control) as shared:
        for index in shared.queue:
            control.check_stop()
            name = names[index]
            try:
                results[name] = work(units[name])
            except Exception as error:
                if not concerns_one_case(error):
                    raise
                errors[name] = in_words(error)
            shared.finish(name)
        for found, wrong in shared.gather((results, errors)):
            results |= found
            errors |= wrong
    return {n: results[n] for n in names if n in results}, {n: errors[n] for n in names if n in errors}


def in_threads(
    label: str,
    units: Mapping[str, Unit],
    work: Callable[[Unit], None],
    control: Control,
    *,
    unit: str,
    bad: Callable[[str, BadInput], None] | None = None,
) -> None:
    """Do ``work`` on every unit, ``control.workers`` at a time; after an error or a stop none is begun.

    Args:
        label: what is shown to be done.
        units: what to work on, by name.
        work: does one.
        control: progress, stop and number of threads.
        unit: what a unit is, e.g. ``case``.
        bad: called with the name and the error of each unit with bad input; without it the first such
            unit ends all. A store that cannot be read now says nothing against a unit, and ends all.

    Raises:
        Stopped: when asked to stop.
    """

    def begin(one: Unit) -> None:
        control.check_may_write()
        work(one)

    control.progress.begin(label, len(units), unit)
    with ThreadPoolExecutor(max_workers=max(1, control.workers)) as pool:
        waiting = {name: pool.submit(begin, one) for name, one in units.items()}
        try:
            for name, future in waiting.items():
                control.check_stop()
                try:
                    future.result()
                except (DiskFault, Unreadable):
                    raise
                except BadInput as error:
                    if bad is None:
                        raise
                    bad(name, error)
                control.progress.advance(name)
        finally:
            pool.shutdown(cancel_futures=True)
            control.progress.end()
