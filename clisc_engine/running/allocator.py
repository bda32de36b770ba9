"""Memory that is freed stays with the process, so that the next step finds its pages ready.

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
    """Tell the C library to keep up to 2 GB of what is freed, and large blocks among the small ones.

    It holds for the whole process from here on, so it is for a program to call, not for a library.

    Returns:
        Whether the C library was told; others than glibc have no such wish to hear.
    """
    told = _mallopt()
    if told is None:
        return False
    return bool(told(_MMAP_MAX, 0) and told(_TRIM_THRESHOLD, _LARGEST))


def _mallopt() -> Callable[[int, int], int] | None:
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), "mallopt", None)
