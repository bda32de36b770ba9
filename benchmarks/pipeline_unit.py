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
        times: how often the paper's settings do it.
        note: how much of how much is measured.
        before: puts there what it needs.
        reading: what the plain way does once an epoch besides its steps; measured by itself.
        epochs: how many there are.
    """

    name: str
    ours: Action
    plain: Action
    times: float
    note: str
    before: Action = lambda: None
    reading: Action | None = None
    epochs: int = 1

    def plain_seconds(self) -> float:
        """Of all that the paper's settings do, the plain way."""
        self.before()
        reading = told_seconds(f"plain {self.name}, reading", self.reading) if self.reading else 0.0
        once = told_seconds(f"plain {self.name}", self.plain)
        return max(once - reading, 0.0) * self.times + reading * self.epochs

    def our_seconds(self) -> float:
        """Likewise, our way; what a training does but once is multiplied, too."""
        self.before()
        return told_seconds(self.name, self.ours) * self.times
