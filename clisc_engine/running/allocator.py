"""Keep freed memory in the process, so that the next training step need not get it from the kernel again.

The C library of Linux (glibc) gives every freed block of more than 32 MB back to the kernel. A network's
step asks for the same blocks again, and the kernel clears page after page of them: on a CPU this can take
longer than the arithmetic. Source: ``mallopt(3)``.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of <malloc.h>
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Have the C library keep up to 2 GB of freed memory, blocks of any size included.

    It changes the whole process, so a program calls it, not a library.

    Returns:
        Whether it was set; only glibc has these options.
    """
    mallopt = _mallopt()
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, _LARGEST))


def _mallopt() -> Callable[[int, int], int] | None:
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), "mallopt", None)
