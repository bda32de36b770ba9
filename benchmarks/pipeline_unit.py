"""A piece of a pipeline that is measured, and how often the whole does it."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.measure import Action, told_seconds


@dataclass(frozen=True)
class Unit:
    """A measured piece of the pipeline.

    Attributes:
        name: the stage, and the part of it.
        ours: does it by the project's stage.
        plain: does it plainly.
        times: how often the whole pipeline does it.
        note: how much of how much is measured.
        before: puts there what it needs.
        ours_twice: of a training, twice as many steps, so that what is done but once counts but once.
        plain_twice: likewise.
        reading: what the plain way does once an epoch besides its steps; measured by itself.
        epochs: how many there are.
    """

    name: str
    ours: Action
    plain: Action
    times: float = 1
    note: str = ""
    before: Action = lambda: None
    ours_twice: Action | None = None
    plain_twice: Action | None = None
    reading: Action | None = None
    epochs: int = 1

    def plain_seconds(self) -> float:
        """Of all that the whole pipeline does, the plain way."""
        self.before()
        reading = told_seconds(f"plain {self.name}, reading", self.reading) if self.reading else 0.0
        found = _seconds(f"plain {self.name}", self.plain, self.plain_twice, self.times)
        return found + (self.epochs - 1) * reading

    def our_seconds(self) -> float:
        """Likewise, our way."""
        self.before()
        return _seconds(self.name, self.ours, self.ours_twice, self.times)


def _seconds(name: str, once: Action, twice: Action | None, times: float) -> float:
    longer = told_seconds(f"{name}, twice as much", twice) if twice else 0.0
    shorter = told_seconds(name, once)
    return of_all(shorter, longer, times) if twice else shorter * times


def of_all(shorter: float, longer: float, times: float) -> float:
    """Seconds of a whole training by those of two short ones; what each does but once counts once.

    Args:
        shorter: seconds of some steps.
        longer: seconds of twice as many.
        times: how often the whole has the steps of the shorter one.
    """
    return shorter + (times - 1) * max(longer - shorter, 0.0)
