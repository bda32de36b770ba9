"""The locks that a command holds to its end, and what it completes as soon as it has them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clisc_cli.session import Session

if TYPE_CHECKING:
    from clisc_engine.project.project import Project


@dataclass(frozen=True)
class Locks:
    """The locks of one call.

    Attributes:
        session: the call, at whose end they are given back; one that is lost asks it to stop.
        command: as others are told who holds them, e.g. ``clisc train``.
        say: tells people something.
    """

    session: Session
    command: str
    say: Callable[[str], None]

    def hold_project(self, root: Path) -> None:
        """Hold a project's, and complete or clear away what was cut short in it.

        Raises:
            BadInput: when another process holds it, or works in one of its variants.
        """
        from clisc_engine.project import cut_short

        self.take(root)
        cut_short.clear(root, self._check_may_write(), self.say)

    def hold_variant(self, variant: Project) -> None:
        """Hold a variant's, and leave its project alone.

        Raises:
            BadInput: when another process holds it, or works in what it lies over.
        """
        from clisc_engine.project.variant_locks import refuse_while_below_works

        self.take(variant.root)
        refuse_while_below_works(variant)

    def take(self, folder: Path) -> None:
        """Hold a folder's until the command ends."""
        self.session.resources.enter_context(self._held(folder))

    def settle_what_is_begun(self, root: Path) -> None:
        """Complete what was cut short in a project, holding its lock no longer than that takes."""
        from clisc_engine.project import cut_short, pending_change, pending_promotion

        if pending_change.pending(root) or pending_promotion.pending(root):
            with self._held(root):
                cut_short.settle(root, self._check_may_write(), self.say)

    def _held(self, folder: Path) -> AbstractContextManager[None]:
        from clisc_engine.project.lock import hold

        flag = self.session.stop
        return hold(folder, self.command, say=self.say, lost=lambda reason: setattr(flag, "reason", reason))

    def _check_may_write(self) -> Callable[[], None]:
        from clisc_engine.running.control import Control

        return Control(stop=self.session.stop).check_may_write
