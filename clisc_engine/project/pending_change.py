"""A change of cases as it is written down before it is carried out (`case_changes`).

Who reads a project in which one was cut short is not to take its cases for lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from clisc_engine.files.reading import read_if_there
from clisc_engine.files.words import listed
from clisc_engine.project.case_record import CaseInfo

FILE = "case-change.json"
Split = Literal["train", "valid", "test"]


class Change(BaseModel):
    """What is to become of some cases.

    Attributes:
        remove: names to be taken out.
        rename: new names by old ones.
        move: splits by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    remove: tuple[str, ...] = ()
    rename: dict[str, str] = {}
    move: dict[str, Split] = {}

    @property
    def names(self) -> list[str]:
        """All cases that it concerns, by the names that they have before it."""
        return [*self.remove, *self.rename, *self.move]

    def of(self, info: CaseInfo) -> CaseInfo | None:
        """A case's record after the change; None when the case is gone then."""
        if info.name in self.remove:
            return None
        if new := self.rename.get(info.name):
            return replace(info, name=new, imported_as="" if new == info.identity else info.identity)
        return replace(info, split=self.move.get(info.name, info.split))

    @property
    def unsettled(self) -> frozenset[str]:
        """The names, old and new, under which cases may be half changed while it is under way."""
        return frozenset({*self.remove, *self.rename, *self.rename.values()})

    def __str__(self) -> str:
        parts = [f"removal of {name}" for name in self.remove]
        parts += [f"{old} renamed to {new}" for old, new in self.rename.items()]
        parts += [f"{name} moved to {split}" for name, split in self.move.items()]
        return listed(parts, 5)


def pending(root: Path) -> Change | None:
    """The change that was cut short in the project at ``root``; None when there is none.

    Raises:
        Unreadable: when it is there and cannot be read now.
    """
    text = read_if_there(root / FILE)
    if text is None:
        return None
    try:
        return Change.model_validate_json(text)
    except ValidationError:
        return Change()


def told(root: Path) -> str:
    """What is to be said of the change that was cut short in the project at ``root``; empty without one.

    Raises:
        Unreadable: when it is there and cannot be read now.
    """
    change = pending(root)
    return "" if change is None else told_of(change)


def told_of(change: Change) -> str:
    """The same of the change itself; empty for one whose record is not whole."""
    if not change.names:
        return ""
    return f"A change of cases was cut short ({change}); the next command that writes here completes it."


def without(lost: Mapping[str, str], root: Path) -> dict[str, str]:
    """The lost cases, with reasons by name, but for those that a change under way takes elsewhere.

    Raises:
        Unreadable: when it is there and cannot be read now.
    """
    change = pending(root) if lost else None
    return {name: why for name, why in lost.items() if change is None or name not in change.unsettled}
