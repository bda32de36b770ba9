"""Errors with a documented exit code: each says what is wrong, where, and what to do."""

from __future__ import annotations

from pathlib import Path


class CliscError(Exception):
    """Base of every error that clisc raises on purpose. Exit code 1 marks a bug."""

    exit_code = 1


class BadInput(CliscError):
    """An input file, a weight file or a setting cannot be used."""

    exit_code = 3


class Unreadable(BadInput):
    """Something that is there cannot be read now, which does not mean that it is damaged or gone.

    A file server that is away, lacking rights or too little memory; nothing may be taken away, made
    anew or written over for it.
    """

    def __init__(self, path: Path, error: BaseException) -> None:
        """Say what could not be read, and that it may be whole.

        Args:
            path: of it.
            error: what the system, or Python for want of memory, says.
        """
        self.path = path
        short_of_memory = isinstance(error, MemoryError)
        why = "memory does not suffice" if short_of_memory else getattr(error, "strerror", None) or error
        remedy = "Free some memory" if short_of_memory else "Look at its disk and its rights"
        super().__init__(
            f"Cannot read {path}: {why}. It may be whole, so it is left as it is. {remedy}, then run the "
            "same command again."
        )


class DiskFault(BadInput):
    """The disk is full, cannot be written or fails; no other case would fare better."""


class MissingStage(CliscError):
    """An earlier stage has not made what this one needs; the message names the command to run."""

    exit_code = 4


class CasesFailed(CliscError):
    """The stage is done, but some cases failed; they are named and the others are kept."""

    exit_code = 5


class Stopped(CliscError):
    """A signal asked the run to stop; its state is saved and the same command goes on from there."""

    exit_code = 75


class RankLost(CliscError):
    """One of the processes that share a command has died; what was finished is kept."""


class EndedElsewhere(CliscError):
    """Another of the processes that share a command has ended it, with this exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        """Take over how that process ended."""
        super().__init__(message)
        self.exit_code = exit_code
