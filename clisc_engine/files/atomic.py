"""Files and folders that appear whole or not at all, and what is said when the disk does not take them."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clisc_engine.errors import DiskFault
from clisc_engine.files.limits import explain

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def write_atomically(path: Path, data: bytes) -> None:
    """Write beside, flush to the disk, and rename: readers see the old file or the new one.

    Raises:
        DiskFault: when the disk does not take it; the file that was there stays.
    """
    # A name of its own: threads that import cases make the same groups at once.
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.partial")
    with disk_faults(path):
        try:
            with beside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
        sync(path.parent)


@contextmanager
def disk_faults(path: Path) -> Iterator[None]:
    """Turn what the system says against writing ``path`` into a `DiskFault` with advice."""
    try:
        yield
    except OSError as error:
        raise DiskFault(f"Cannot write {path}: {error.strerror or error}. {advice_on(error)}") from error


def is_full(error: OSError) -> bool:
    """Whether the disk, or what the user may have of it, is used up."""
    return error.errno in _FULL


def advice_on(error: OSError) -> str:
    """What to do about a disk that does not take something."""
    if error.errno in {errno.EFBIG, errno.EMFILE} and (limit := explain(error)):
        return f"{limit} What was finished is kept."
    if is_full(error):
        return "Free some space, then run the same command again; what was finished is kept."
    if error.errno in _FORBIDDEN:
        return "Make that folder writable, or work on a copy that is; what was finished is kept."
    return "Look at the disk and at the path, then run the same command again; what was finished is kept."


def put_in_place(new: Path, folder: Path) -> None:
    """Let a finished folder take the place of the one that may be there."""
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old.partial")
    there = folder.exists()
    if there:
        folder.rename(old)
    try:
        new.rename(folder)
    except BaseException:
        if there:
            with suppress(OSError):
                old.rename(folder)
        raise
    sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def take_away(folder: Path) -> None:
    """Remove a folder with all in it, and the one above if it is empty then; one move takes it away.

    So no half of it stays where it counts.

    Raises:
        DiskFault: when the disk does not do so.
    """
    with disk_faults(folder):
        if folder.exists():
            folder.rename(folder.with_name(f".{folder.name}.{os.getpid()}.old.partial"))
    take_the_rest_away(folder)


def take_the_rest_away(folder: Path) -> None:
    """Complete a removal by `take_away` from where the folder is no more in its place.

    Raises:
        DiskFault: when the disk does not do so.
    """
    with disk_faults(folder):
        for left in left_of(folder):
            shutil.rmtree(left)
        if folder.parent.is_dir() and not any(folder.parent.iterdir()):
            folder.parent.rmdir()


def left_of(folder: Path) -> list[Path]:
    """What is left of a folder that `take_away` was killed over."""
    aside = re.compile(rf"\.{re.escape(folder.name)}\.[0-9]+\.old\.partial")
    return sorted(path for path in folder.parent.glob(".*.old.partial") if aside.fullmatch(path.name))


def sync(path: Path) -> None:
    """Wait until the disk has a file or a folder's entries."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
