"""Marks of processes in the names of what they have not finished, by which that of dead ones is found."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace

from clisc_engine.project.lock_owner import DEAD_AFTER_SECONDS, Owner

MARK = re.compile(r"(?P<machine>[0-9a-f]{8})-(?P<pid>\d+)-(?P<started>\d*)")
"""A machine's boot, a process of it, and when that started."""


def mark_of(owner: Owner) -> str:
    """The mark of a process."""
    return f"{_machine(owner)}-{owner.pid}-{owner.started}"


def is_abandoned(mark: str, age: float) -> bool:
    """Whether the process of a mark is dead.

    Those of this machine can be looked at, others count as dead some minutes after their last sign of life.

    Args:
        mark: found in a name; any other text is nobody's mark, and never abandoned.
        age: seconds since the file or folder changed.
    """
    found = MARK.fullmatch(mark)
    if found is None:
        return False
    me = Owner.this_process("")
    owner = replace(
        me,
        machine=me.machine if found["machine"] == _machine(me) else "elsewhere",
        pid=int(found["pid"]),
        started=found["started"],
    )
    return not owner.is_alive(age, DEAD_AFTER_SECONDS)


def _machine(owner: Owner) -> str:
    return f"{zlib.crc32(owner.machine.encode()):08x}"
