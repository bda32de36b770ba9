"""Who may write at once: commands on several variants may, one on a variant and one on its project may not.

A variant reads what it lacks from what it lies over, so that must stay as it is while a command is at work
on the variant. Each side first takes its own lock and then looks at the other's: of two that begin at the
same moment both may be refused, but never do both go on.
"""

from __future__ import annotations

import time
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.files.reading import inside, is_there
from clisc_engine.project.lock import LOCK, VARIANTS
from clisc_engine.project.lock_owner import owner_of
from clisc_engine.project.project import Project


def refuse_while_variants_work(root: Path) -> None:
    """Refuse to change the project at ``root``, whose lock is held, while a command is on a variant of it.

    Raises:
        BadInput: naming that command.
        Unreadable: when the variants cannot be listed now, so that nobody can tell.
    """
    for lock in (folder / LOCK for folder in inside(root / VARIANTS)):
        if is_there(lock):
            _refuse(lock, root, f"which reads from {root}")


def refuse_while_below_works(variant: Project) -> None:
    """Refuse to go on with a variant, whose lock is held, while a command is on what it lies over.

    Raises:
        BadInput: naming that command.
    """
    below = variant.parent
    while below is not None:
        _refuse(below.root / LOCK, variant.root, f"which the variant {variant.root.name} reads from")
        below = below.parent


def _refuse(lock: Path, own: Path, why: str) -> None:
    owner = owner_of(lock)
    if owner is not None and owner.is_alive(_age(lock, own / LOCK)):
        raise BadInput(f"{owner} is at work in {lock.parent}, {why}; wait until it is done, or stop it.")


def _age(lock: Path, own: Path) -> float:
    """Seconds since the other's last sign of life, by the file system's clock as the own lock has it."""
    try:
        now = max(own.stat().st_mtime, time.time()) if own.exists() else time.time()
        return now - lock.stat().st_mtime
    except FileNotFoundError:
        return 0.0
