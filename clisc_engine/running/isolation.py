"""The one rule that tells errors of a single case, after which the others go on, from all others."""

from __future__ import annotations

from clisc_engine.errors import CliscError, DiskFault, EndedElsewhere, RankLost, Stopped
from clisc_engine.files.limits import is_want_of_memory

_OF_THE_COMMAND = (Stopped, DiskFault, RankLost, EndedElsewhere)
"""Errors that every other case would meet too."""


def concerns_one_case(error: Exception) -> bool:
    """Whether the other cases go on after this error: what clisc says on purpose, and want of memory.

    An error of any other kind is a bug, and the system's own (OSError) meets the next case too.
    """
    if isinstance(error, CliscError):
        return not isinstance(error, _OF_THE_COMMAND)
    return is_want_of_memory(error)


def in_words(error: Exception) -> str:
    """The error for a report, never empty."""
    words = str(error) or type(error).__name__
    return words if isinstance(error, CliscError) else f"memory does not suffice ({words})"
