"""How much a folder holds."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

VOXELS = "c"
"""The folder of an array's data in a Zarr store."""
ONE_FILE = ("0/0/0", "0")
"""Where below it the data lie that `project.store` writes, as one file: of a volume, of a row of values."""


def bytes_below(folder: Path) -> int:
    """Bytes of all files below a folder; 0 when there is none.

    What cannot be looked at, or is gone by the time it is, counts for nothing. Three folders lead to each
    array's data: they are not listed where the file that clisc writes is there.
    """
    size, waiting = 0, [os.fspath(folder)]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    found = _bytes_of_voxels(entry.path) if entry.name == VOXELS else None
                    if found is None:
                        waiting.append(entry.path)
                    else:
                        size += found
                elif entry.is_file():
                    with suppress(OSError):
                        size += entry.stat().st_size
    return size


def _bytes_of_voxels(folder: str) -> int | None:
    """Bytes of an array's data; None where they do not lie in one file as expected."""
    for place in ONE_FILE:
        with suppress(OSError):
            found = os.stat(f"{folder}/{place}")  # noqa: PTH116 - a Path for each takes longer than that
            if stat.S_ISREG(found.st_mode):
                return found.st_size
    return None
