"""The one rule of which errors concern a single case: then the others go on; any other ends the command."""

from __future__ import annotations

from clisc_engine.errors import CliscError, DiskFault, EndedElsewhere, RankLost, Stopped
from clisc_engine.files.limits import is_want_of_memory

_OF_THE_COMMAND = (Stopped, DiskFault, RankLost, EndedElsewhere)
"""What no other case would fare better with."""


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
