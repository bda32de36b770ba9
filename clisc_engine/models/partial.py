"""The half-fetched file of a download: one of its own for each process, passed on when that ends."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from clisc_engine.project.lock_owner import DEAD_AFTER_SECONDS, Owner

_NAME = re.compile(r"\.(?P<machine>[0-9a-f]{8})-(?P<pid>\d+)-(?P<started>\d*)\.partial")


@contextmanager
def own_partial(path: Path) -> Iterator[Path]:
    """A file that no other process writes to, in which to collect what becomes ``path``.

    It holds what an earlier call left, or one that died. What is in it at the end is left for the next
    call as ``NAME.partial``. Renaming decides between processes that want the same leftover.
    """
    me = Owner.this_process("")
    shared = path.with_name(f"{path.name}.partial")
    own = path.with_name(f"{path.name}.{_mark(me)}-{me.pid}-{me.started}.partial")
    own.touch()
    for leftover in sorted([shared, *_abandoned(path, own, me)], key=_size):
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


def _abandoned(path: Path, own: Path, me: Owner) -> Iterator[Path]:
    """What processes have left that died: those of this machine at once, others after a while."""
    now = own.stat().st_mtime
    for other in path.parent.glob(f"{path.name}.*.partial"):
        found = _NAME.fullmatch(other.name.removeprefix(path.name))
        if found is None or other == own:
            continue
        here = found["machine"] == _mark(me)
        owner = replace(
            me,
            machine=me.machine if here else "elsewhere",
            pid=int(found["pid"]),
            started=found["started"],
        )
        with suppress(FileNotFoundError):
            if not owner.is_alive(now - other.stat().st_mtime, DEAD_AFTER_SECONDS):
                yield other


def _mark(owner: Owner) -> str:
    return f"{zlib.crc32(owner.machine.encode()):08x}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1
