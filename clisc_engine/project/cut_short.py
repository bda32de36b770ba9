"""What was cut short in a project: who holds its lock completes it, or clears it away, before all else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from clisc_engine.project import case_changes, promotion
from clisc_engine.project.project import SETTINGS_FILE, Project, clear_staging
from clisc_engine.project.variant_locks import refuse_while_variants_work
from clisc_engine.settings.schema import Settings


def clear(root: Path, check_may_write: Callable[[], None], say: Callable[[str], None]) -> None:
    """Begin to write in the project at ``root``, whose lock is held and which need not be there yet.

    Args:
        root: the project's folder.
        check_may_write: raises when the lock is lost.
        say: tells what was completed.

    Raises:
        BadInput: when a command is at work on a variant, or a promotion's plan is not whole.
        DiskFault: when the disk does not take it.
    """
    refuse_while_variants_work(root)
    clear_staging(root)
    settle(root, check_may_write, say)


def settle(root: Path, check_may_write: Callable[[], None], say: Callable[[str], None]) -> None:
    """Complete a change of cases, or a promotion of a variant, that was cut short; it raises as `clear`."""
    if not (root / SETTINGS_FILE).is_file():
        return
    project = Project(root, Settings())  # whatever the state of its own: no case depends on them
    project.store.check_may_write = check_may_write
    if case_changes.settle(project):
        say("Completed a change of cases that was cut short.")
    if promotion.settle(project):
        say("Completed the promotion of a variant that was cut short.")
