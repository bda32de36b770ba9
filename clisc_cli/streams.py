"""stdout and stderr as a command finds them: closed, a pipe that nobody reads any more, a full disk.

None of these ends the work: what cannot be shown is dropped, and the first fault is told at the end.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_GONE = {errno.EPIPE, errno.ECONNRESET, errno.ESHUTDOWN, errno.EIO}
"""Nobody reads any more; that is no fault, and there is nobody to tell."""


class Patient(io.RawIOBase):
    """A descriptor that takes what its reader, or its disk, no longer does.

    Attributes:
        fault: the first error but for a reader that is gone, None without.
    """

    def __init__(self, descriptor: int) -> None:
        """Write to this descriptor."""
        self._descriptor = descriptor
        self._lost = False
        self.fault: OSError | None = None

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)

    def write(self, data: ReadableBuffer) -> int:
        """Write all of it, or nothing from the first error on."""
        left = memoryview(data).cast("B")
        length = len(left)
        while left and not self._lost:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except OSError as error:
                self._lost = True
                self.fault = None if error.errno in _GONE else error
        return length


def forget_no_width() -> None:
    """Take ``COLUMNS`` out of the environment if it is no width.

    0, as jobs without a terminal may have it, would leave no column for a table, the help or an error.
    """
    asked = os.environ.get("COLUMNS", "")
    if not (asked.isdecimal() and int(asked)):
        os.environ.pop("COLUMNS", None)


def open_what_is_closed() -> None:
    """Give stdin, stdout and stderr their numbers, before a file of ours gets one of these.

    Libraries print to 1 and 2 whatever lies there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115


def be_patient() -> None:
    """Let no fault of stdout or stderr end the work; letters that the locale lacks do not, either."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        raw = _raw(stream)
        if raw is None:
            continue
        with suppress(OSError):
            stream.flush()
        patient = Patient(raw.fileno())
        below: Any = patient if stream.buffer is raw else io.BufferedWriter(patient)
        text = io.TextIOWrapper(
            below,
            encoding=stream.encoding,
            errors="replace" if name == "stdout" else stream.errors,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        setattr(sys, name, text)


def fault_of_stdout() -> OSError | None:
    """The first fault of stdout, now that all has been written; None when it took everything."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", getattr(sys.stdout, "buffer", None))
    return raw.fault if isinstance(raw, Patient) else None


def _raw(stream: object) -> io.FileIO | None:
    """The file below a stream that Python opened; None for one that somebody put in its place."""
    if not isinstance(stream, io.TextIOWrapper):
        return None
    raw = getattr(stream.buffer, "raw", stream.buffer)
    return raw if isinstance(raw, io.FileIO) else None
