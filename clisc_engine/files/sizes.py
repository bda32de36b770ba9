"""How much a folder holds."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

RECORD = "zarr.json"
VOXELS = ("c/0/0/0", "c/0")
"""The one file of an array's data, as `project.store` writes it: of a volume, of a row of values."""


def bytes_below(folder: Path) -> int:
    """Bytes of all files below a folder; 0 when there is none.

    What cannot be looked at, or is gone by the time it is, counts for nothing. An array of a store counts
    by its two files: its four folders are not listed, which would take longer than all else.
    """
    size, waiting = 0, [os.fspath(folder)]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    size += _bytes_of(entry.path) or 0
                elif (found := _bytes_of_array(entry.path)) is None:
                    waiting.append(entry.path)
                else:
                    size += found
    return size


def _bytes_of_array(folder: str) -> int | None:
    """Bytes of an array of a store; None of another folder."""
    for place in VOXELS:  # before the record, which groups have too
        if (voxels := _bytes_of(f"{folder}/{place}")) is not None:
            record = _bytes_of(f"{folder}/{RECORD}")
            return None if record is None else voxels + record
    return None


def _bytes_of(file: str) -> int | None:
    """Bytes of a file; None where there is none."""
    try:
        found = os.stat(file)  # noqa: PTH116 - a Path for each takes longer than that
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
