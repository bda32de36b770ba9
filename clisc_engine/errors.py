"""Errors with a documented exit code: each says what is wrong, where, and what to do."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class CliscError(Exception):
    """Base of every error that clisc raises on purpose. Exit code 1 marks a bug.

    Attributes:
        run: a command that helps as it stands, its words from ``clisc`` on; None where there is none.
    """

    exit_code = 1

    def __init__(self, message: str = "", *, run: Sequence[str] | None = None) -> None:
        """Say what is wrong, where, and what to do."""
        super().__init__(message)
        self.run = None if run is None else tuple(run)


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


class Home(NamedTuple):
    """Where a command is to work: a project, or a variant of it.

    Attributes:
        project: its folder.
        variant: the variant's name; empty for the project itself.
    """

    project: Path
    variant: str = ""

    @classmethod
    def of(cls, folder: Path, *, is_variant: bool) -> Home:
        """That of a project's own folder, or of a variant's within its project."""
        return cls(folder.parents[1], folder.name) if is_variant else cls(folder)

    @property
    def options(self) -> list[str]:
        """What a command needs to work there, beside the folder."""
        return ["--variant", self.variant] if self.variant else []

    def words(self, command: str, *after: str) -> list[str]:
        """The command as it is to be run from here, e.g. ``evaluate --splits train``, word by word.

        ``after`` are words that come after the project's folder, such as a case.
        """
        words = command.split()
        options = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
        folder = str(self.project)
        folder = f"./{folder}" if folder.startswith("-") else folder  # it is no option
        return ["clisc", *words[:options], folder, *after, *words[options:], *self.options]

    def pasted(self, command: str, *after: str) -> str:
        """The same as one text, to be pasted into a shell."""
        return shlex.join(self.words(command, *after))

    def in_words(self, command: str, *after: str) -> str:
        """The same for a message."""
        return f"`{self.pasted(command, *after)}`"

    def moving(self, split: str) -> str:
        """The command that moves a case into a split, in words; all variants share the cases."""
        return Home(self.project).in_words("cases move", "CASE", split)

    @property
    def repair(self) -> str:
        """The command that sees to what is damaged there, in words; it reads a project's variants, too."""
        return Home(self.project).in_words("verify --repair")


class MissingStage(CliscError):
    """An earlier stage has not made what this one needs; the message names the command to run."""

    exit_code = 4

    def __init__(self, message: str = "", *, command: str = "", home: Home | None = None) -> None:
        """Say what is missing.

        Args:
            message: what, and the command that makes it, as `in_words` gives it.
            command: that one, without ``clisc`` and the project's folder, e.g. ``evaluate --splits train``.
            home: where it is missing; None where the command alone would not help.
        """
        super().__init__(message, run=home.words(command) if home is not None and command else None)


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
