"""How much a folder holds."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def bytes_below(folder: Path) -> int:
    """Bytes of all files below a folder; 0 when there is none.

    What cannot be looked at, or is gone by the time it is, counts for nothing.
    """
    size, waiting = 0, [os.fspath(folder)]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.is_file():
                    with suppress(OSError):
                        size += entry.stat().st_size
    return size
