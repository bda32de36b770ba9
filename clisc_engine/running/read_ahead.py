"""Read inputs ahead of their turn in `--workers` threads; order and results do not change."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from clisc_engine.running.control import Control

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Ahead(Generic[Item]):
    """An item to be read.

    Attributes:
        item: what to read.
        waits: whether further items may be taken and read before this one is worked on.
    """

    item: Item
    waits: bool = True


def read_ahead(
    items: Iterable[Ahead[Item]], read: Callable[[Item], Value], control: Control
) -> Generator[tuple[Item, Callable[[], Value]], None, None]:
    """Each item with a function that waits for what was read of it, in order.

    While one is worked on, at most ``control.workers`` others are read or wait for their turn. Close the
    iterator (`contextlib.closing`) to read no more of them.
    """
    ahead = max(1, control.workers)
    waiting: deque[tuple[Item, Callable[[], Value]]] = deque()
    pool = ThreadPoolExecutor(max_workers=ahead)
    try:
        for one in items:
            waiting.append((one.item, pool.submit(read, one.item).result))
            while len(waiting) > (ahead if one.waits else 0):
                yield waiting.popleft()
        yield from waiting
    finally:
        pool.shutdown(cancel_futures=True)
