"""How a script is told how far a call is: by bars such as tqdm's, or by a listener of its own."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from clisc_engine.running.control import Progress, Silent


class Bar(Protocol):
    """The bar of one piece of work."""

    def update(self, n: int = 1, /) -> object:
        """So many more units are done."""

    def close(self) -> object:
        """The work is over."""


class Bars(Protocol):
    """Makes a bar for each piece of work, as the class ``tqdm.tqdm`` does."""

    def __call__(self, *, total: int, desc: str, unit: str) -> Bar:
        """A bar of ``total`` units; ``desc`` is the step, ``unit`` e.g. case or epoch."""


Listener: TypeAlias = Bars | Progress
"""What the argument ``progress`` may be."""


def listener(progress: Listener | None) -> Progress:
    """The engine's view of it; nobody listens without one."""
    if progress is None:
        return Silent()
    return progress if isinstance(progress, Progress) else _AsBars(progress)


class _AsBars(Silent):
    """Draws the engine's progress with bars; what is said in words is left out."""

    def __init__(self, bars: Bars) -> None:
        """``bars`` makes them."""
        self._bars = bars
        self._bar: Bar | None = None

    def begin(self, label: str, total: int, unit: str, done: int = 0) -> None:
        """A new bar, of what is left to do."""
        self.end()
        self._bar = self._bars(total=total - done, desc=label, unit=unit)

    def advance(self, note: str = "") -> None:
        """One unit more."""
        if self._bar is not None:
            self._bar.update(1)

    def end(self) -> None:
        """Close the bar, if one is there."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None
