"""Errors that come of a limit of the process: which limit, how high it is, and what to do."""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Iterator
from contextlib import suppress

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

_LEAST = 150_000_000
"""Bytes of address space without which nothing can be loaded."""

_RESERVE = 64 << 20
"""Bytes of address space that are kept free, so that an error can still be told."""

_MEMORY = (
    "cannot allocate memory",
    "can't allocate memory",
    "failed to map segment",
    "unable to allocate",
    "not enough memory",
    "bad_alloc",
    "std::bad_array_new_length",
)
_THREADS = ("can't start new thread", "resource temporarily unavailable", "thread creation failed")
_FILES = ("too many open files",)
_SIZE = ("file too large",)


_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")
"""What torch says of a CPU's memory, as a RuntimeError."""


def is_want_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: Python's, a CPU's for torch, or an accelerator's."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _NO_MEMORY)


def explain(error: BaseException) -> str:
    """What an error says of the process's limits, and the way out; empty when it says nothing.

    An error from a library may be the last of a chain, and all that remains of the cause is its words.
    """
    for cause in _chain(error):
        number = cause.errno if isinstance(cause, OSError) else None
        text = str(cause).lower()
        if isinstance(cause, MemoryError) or number == errno.ENOMEM or _says(text, _MEMORY):
            return _of_memory()
        if number == errno.EMFILE or _says(text, _FILES):
            return _of("RLIMIT_NOFILE", "Too many files are open", "ulimit -n")
        if number == errno.EFBIG or _says(text, _SIZE):
            return _of("RLIMIT_FSIZE", "A file would become too large", "ulimit -f", "bytes a file")
        if number == errno.EAGAIN or _says(text, _THREADS):
            return _of("RLIMIT_NPROC", "No further thread can be started", "ulimit -u")
    return ""


class Reserve:
    """Address space that is kept while work is done, where there is a limit to it."""

    def __init__(self) -> None:
        """Take it."""
        self._kept = None
        if _limit("RLIMIT_AS") is not None:
            with suppress(OSError):
                self._kept = mmap.mmap(-1, _RESERVE)

    def release(self) -> str:
        """Give it back; what to say when the space was used up to it, whatever error that led to."""
        if self._kept is None:
            return ""
        limit, used = _limit("RLIMIT_AS"), _address_space()
        self._kept.close()
        self._kept = None
        return _of_memory() if limit is not None and used > limit - _RESERVE else ""


def _address_space() -> int:
    """Bytes that are taken, 0 where that cannot be told."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - Path takes memory
            return int(file.read().split()[0]) * mmap.PAGESIZE
    except (OSError, ValueError, MemoryError):
        return 0


def too_little_memory() -> str:
    """What to say when not even NumPy fits into the address space: its library would end the process."""
    limit = _limit("RLIMIT_AS")
    if limit is None:
        return ""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # each of its threads takes memory of its own
    return _of_memory() if limit < _LEAST else ""


def _of_memory() -> str:
    """Which limit the memory has met: one of the address space or of the data, or the machine's own."""
    for name, command in (("RLIMIT_AS", "ulimit -v"), ("RLIMIT_DATA", "ulimit -d")):
        if (limit := _limit(name)) is not None:
            return (
                f"There is too little memory: this process may have {limit / 1e6:.0f} MB ({name}, set by "
                f"`{command}` or by the batch system). Raise that limit, or ask for more memory."
            )
    return (
        "There is too little memory. Close other programs, ask the batch system for more, or do with less: "
        "a smaller --batch-size, fewer --workers."
    )


def _of(name: str, what: str, command: str, unit: str = "") -> str:
    limit = _limit(name)
    if limit is None:
        return f"{what}; look at the limits of the machine or of its batch system."
    words = f"{limit} {unit}".strip()
    return f"{what}: the limit is {words} ({name}). Raise it with `{command}`, or ask the batch system."


def _limit(name: str) -> int | None:
    """The soft limit, None without one."""
    number = getattr(resource, name, None)
    if number is None:
        return None
    soft: int = resource.getrlimit(number)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def _says(text: str, words: tuple[str, ...]) -> bool:
    return any(word in text for word in words)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, the error first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
