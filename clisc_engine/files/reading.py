"""Reading from a disk that may be away: what cannot be read now is neither missing nor damaged.

The difference decides whether something is made again in its place, so nothing here takes an error for a
no: only the system's word that there is no such file is one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clisc_engine.errors import Unreadable


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the system says against reading ``path``, or too little memory, into an `Unreadable`.

    Content that is not as it should be is for the block to find, with errors of other kinds.
    """
    try:
        yield
    except (OSError, MemoryError) as error:
        raise Unreadable(path, error) from error


def is_there(path: Path) -> bool:
    """Whether something is at ``path``; what cannot be told is not taken for a no.

    Raises:
        Unreadable: when it cannot be told.
    """
    with reading(path):
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
    return True


def read_if_there(path: Path) -> bytes | None:
    """A file's bytes; None when there is none.

    Raises:
        Unreadable: when it is there and cannot be read.
    """
    with reading(path):
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None


def holds_files(folder: Path) -> bool:
    """Whether there is a file anywhere below ``folder``.

    Raises:
        Unreadable: when a folder cannot be listed.
    """
    with reading(folder):
        try:
            with os.scandir(folder) as entries:
                return any(e.is_file() or (e.is_dir() and holds_files(Path(e))) for e in entries)
        except (FileNotFoundError, NotADirectoryError):
            return False
