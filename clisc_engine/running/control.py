"""How a run is controlled from outside: the options of a call, progress, and requests to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from clisc_engine.errors import Stopped
from clisc_engine.project.lock import LOST_LOCK
from clisc_engine.running.ranks import Ranks

Precision = Literal["32", "bf16", "16"]


@runtime_checkable
class Progress(Protocol):
    """Where progress and messages go; the engine knows no terminal."""

    def begin(self, label: str, total: int, unit: str, done: int = 0) -> None:
        """A piece of work with ``total`` units starts, or goes on after ``done`` of them."""

    def advance(self, note: str = "") -> None:
        """One unit is done."""

    def end(self) -> None:
        """The piece of work is over."""

    def say(self, message: str) -> None:
        """A line for the user."""


class Silent:
    """Progress for nobody."""

    def begin(self, label: str, total: int, unit: str, done: int = 0) -> None:
        """Do nothing."""

    def advance(self, note: str = "") -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""

    def say(self, message: str) -> None:
        """Do nothing."""


class StopFlag:
    """A request to stop, set by a signal or by the thread that renews the lock.

    It is looked at between cases, steps and epochs. Other ranks get the same reason, so that they too
    know when the lock was lost.

    Attributes:
        may_write: becomes False for good when the reason is `LOST_LOCK`: another command has the project.
    """

    def __init__(self) -> None:
        """No stop is requested."""
        self._reason = ""
        self.may_write = True

    @property
    def reason(self) -> str:
        """Who or what requested the stop; empty while nobody has."""
        return self._reason

    @reason.setter
    def reason(self, reason: str) -> None:
        self._reason = reason
        if reason == LOST_LOCK:
            self.may_write = False


@dataclass(frozen=True)
class Control:
    """Options of one call. None is part of a fingerprint: they change speed or which cases, not the method.

    Attributes:
        device: auto, cpu, cuda, cuda:N or mps.
        precision: 32, bf16 or 16, used under autocast.
        batch_size: slices (inference) at once; None takes each model's own setting.
        workers: threads that read cases ahead of their turn, or import them.
        force: remake what is fresh.
        dry_run: say what would be done, and do nothing.
        cases: restrict per-case work to these names; empty takes all.
        progress: where it is told how far the work is.
        stop: says when to stop, and whether this run may still write.
        ranks: this process among those that share the work; by itself unless a launcher started several.
    """

    device: str = "auto"
    precision: Precision = "32"
    batch_size: int | None = None
    workers: int = 1
    force: bool = False
    dry_run: bool = False
    cases: tuple[str, ...] = ()
    progress: Progress = field(default_factory=Silent)
    stop: StopFlag = field(default_factory=StopFlag)
    ranks: Ranks = field(default_factory=Ranks)

    def check_stop(self) -> None:
        """Raise `Stopped` if a stop was requested, or the error by which another rank has ended."""
        self.ranks.check()
        if self.stop.reason:
            raise self.stopped()

    def check_may_write(self) -> None:
        """Raise `Stopped` if this run has lost the project's lock, so that it may not write any more."""
        if not self.stop.may_write:
            raise self.stopped()

    def by_rank_0(self, write: Callable[[], object]) -> None:
        """Let rank 0 write for all, unless the lock is lost; the others wait until it has.

        So none ends, with the cases that failed, before what all have found is kept.
        """

        def once() -> None:
            self.check_may_write()
            write()

        self.ranks.share(once)

    def stopped(self) -> Stopped:
        """The error that says that the run was asked to stop."""
        return Stopped(
            f"Stopped by {self.stop.reason or 'a signal'}; what was finished is kept. "
            "Run the same command again to go on."
        )
