"""The half-fetched file of a download: one of its own for each process, passed on when that ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clisc_engine.project.lock_owner import Owner
from clisc_engine.project.owner_marks import is_abandoned, mark_of


@contextmanager
def own_partial(path: Path) -> Iterator[Path]:
    """A file that no other process writes to, in which to collect what becomes ``path``.

    It holds what an earlier call left, or one that died. What is in it at the end is left for the next
    call as ``NAME.partial``. Renaming decides between processes that want the same leftover.
    """
    shared = path.with_name(f"{path.name}.partial")
    own = path.with_name(f"{path.name}.{mark_of(Owner.this_process(''))}.partial")
    own.touch()
    for leftover in sorted([shared, *_abandoned(path, own)], key=_size):
        with suppress(FileNotFoundError):
            leftover.replace(own)  # the largest comes last and stays
    try:
        yield own
    finally:
        with suppress(OSError):
            _pass_on(own, shared)


def _pass_on(own: Path, shared: Path) -> None:
    """Leave the larger of both for the next call."""
    if 0 < _size(own) > _size(shared):
        own.replace(shared)
    else:
        own.unlink(missing_ok=True)


def _abandoned(path: Path, own: Path) -> Iterator[Path]:
    """What processes have left that died."""
    now = own.stat().st_mtime
    for other in path.parent.glob(f"{path.name}.*.partial"):
        mark = other.name.removeprefix(f"{path.name}.").removesuffix(".partial")
        with suppress(FileNotFoundError):
            if other != own and is_abandoned(mark, now - other.stat().st_mtime):
                yield other


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1
