"""Reading from a disk that may be away: what cannot be read now is neither missing nor damaged.

The difference decides whether something is made again in its place, so nothing here takes an error for a
no: only the system's word that there is no such file is one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clisc_engine.errors import Unreadable

_AT_ONCE = 2**16
"""Bytes of a file that are asked for at once: all of most records."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the system says against reading ``path``, or too little memory, into an `Unreadable`.

    Content that is not as it should be is for the block to find, with errors of other kinds.
    """
    try:
        yield
    except (OSError, MemoryError) as error:
        raise Unreadable(path, error) from error


def is_there(path: Path | str) -> bool:
    """Whether something is at ``path``; what cannot be told is not taken for a no.

    Raises:
        Unreadable: when it cannot be told.
    """
    try:
        os.stat(path)  # noqa: PTH116 - thousands of files are asked for: a Path for each takes longer
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, MemoryError) as error:
        raise Unreadable(Path(path), error) from error
    return True


def read_if_there(path: Path | str) -> bytes | None:
    """A file's bytes; None when there is none.

    The system is asked directly: thousands of records are read so, and Python's files take as long again.

    Raises:
        Unreadable: when it is there and cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return b"".join(iter(lambda: os.read(descriptor, _AT_ONCE), b""))
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, MemoryError) as error:
        raise Unreadable(Path(path), error) from error


def object_at(path: Path | str) -> dict[str, Any] | None:
    """The JSON object that a file holds; None when there is no file, or one that holds no whole object.

    Raises:
        Unreadable: when it is there and cannot be read.
    """
    try:
        found = json.loads(read_if_there(path) or b"")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def names_in(folder: str) -> list[str]:
    """Names of what lies right in ``folder`` and is not hidden; none when there is no such folder.

    Raises:
        Unreadable: when it cannot be listed.
    """
    try:
        names = os.listdir(folder)  # noqa: PTH208 - likewise
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, MemoryError) as error:
        raise Unreadable(Path(folder), error) from error
    return [name for name in names if not name.startswith(".")]


def inside(folder: Path) -> list[Path]:
    """What lies right in ``folder``, sorted; nothing when there is no such folder.

    Raises:
        Unreadable: when it cannot be listed.
    """
    with reading(folder):
        try:
            return sorted(folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []


def shown_folders(folder: Path) -> list[Path]:
    """The folders right in ``folder`` that are not hidden, sorted; none when there is no such folder.

    Raises:
        Unreadable: when it cannot be listed.
    """
    with reading(folder):
        return [path for path in inside(folder) if not path.name.startswith(".") and path.is_dir()]


def walk(folder: Path, away: Callable[[Unreadable], None]) -> Iterator[Path]:
    """All below ``folder``, no link followed; ``away`` hears of each folder that cannot be listed."""
    try:
        with reading(folder):
            found = [(path, path.is_dir() and not path.is_symlink()) for path in inside(folder)]
    except Unreadable as error:
        away(error)
        return
    for path, is_folder in found:
        yield path
        if is_folder:
            yield from walk(path, away)


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
