"""The one rule of which errors concern a single case: then the others go on; any other ends the command."""

from __future__ import annotations

from clisc_engine.errors import CliscError, DiskFault, EndedElsewhere, RankLost, Stopped

_OF_THE_COMMAND = (Stopped, DiskFault, RankLost, EndedElsewhere)
"""What no other case would fare better with."""

_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")
"""What torch says of a CPU's memory, as a RuntimeError."""


def concerns_one_case(error: Exception) -> bool:
    """Whether the other cases go on after this error: what clisc says on purpose, and want of memory.

    An error of any other kind is a bug, and the system's own (OSError) meets the next case too.
    """
    if isinstance(error, CliscError):
        return not isinstance(error, _OF_THE_COMMAND)
    return is_want_of_memory(error)


def is_want_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: Python's, a CPU's for torch, or an accelerator's."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _NO_MEMORY)


def in_words(error: Exception) -> str:
    """The error for a report, never empty."""
    words = str(error) or type(error).__name__
    return words if isinstance(error, CliscError) else f"memory does not suffice ({words})"
