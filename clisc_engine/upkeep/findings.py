"""What `verify` finds, and how each finding can be mended."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from clisc_engine.errors import Home, Unreadable
from clisc_engine.products.graph import ARRAYS, IMPORTED, MADE_BY, NETWORKS, command_for

State = Literal["damaged", "missing", "unreadable", "left over", "to be made", "doubtful"]
What = Literal[
    "settings",
    "group",
    "case",
    "manifest",
    "array",
    "imported array",
    "weights",
    "training",
    "record",
    "table",
    "history",
    "leftover",
]
AWAY = "look at the disk, its rights and the memory, and verify again; what cannot be read is left as it is"


@dataclass
class Finding:
    """Something that is not as it should be.

    Attributes:
        path: where, relative to the project.
        what: what it is, which decides how it is repaired.
        state: damaged, missing and unreadable are faults; an unreadable file may be whole. Left over and
            to be made are harmless; of what is doubtful, the file is whole and its meaning is not.
        problem: what is wrong with it.
        remedy: what to do, or what was done.
        repaired: whether ``--repair`` mended it.
    """

    path: str
    what: What
    state: State
    problem: str
    remedy: str = ""
    repaired: bool = False

    @property
    def needs_its_owner(self) -> bool:
        """Whether ``--repair`` leaves it alone, since it holds choices that nothing else knows."""
        return self.what == "settings"

    @property
    def is_fault(self) -> bool:
        """Whether something that was finished is lost, or cannot be read, and was not repaired."""
        return self.state in ("damaged", "missing", "unreadable") and not self.repaired


@dataclass
class Verified:
    """What `verify` read and found.

    Attributes:
        arrays: how many sealed arrays were read.
        checkpoints: how many weight files were read.
        findings: all that is not as it should be, in the order of reading.
        seconds: how long it took.
    """

    arrays: int = 0
    checkpoints: int = 0
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def faults(self) -> list[Finding]:
        """The findings that leave the project damaged."""
        return [finding for finding in self.findings if finding.is_fault]


def unreadable(root: Path, error: Unreadable, what: What) -> Finding:
    """The finding for something of the project at ``root`` that cannot be read now, but may be whole."""
    path = error.path.relative_to(root) if error.path.is_relative_to(root) else error.path
    place = (path.parent if path.name == "zarr.json" else path).as_posix()
    why = _reason(error.__cause__ or error)
    return Finding(place, what, "unreadable", f"it cannot be read now ({why})", AWAY)


def kind_of_array(array: str) -> What:
    """Whether an array of a case was imported or made by a step."""
    return "imported array" if array in IMPORTED else "array"


def remedy_for_array(array: str, split: str, home: Home) -> str:
    """How to get an array of a case back.

    Args:
        array: its name.
        split: the case's, empty when it is not known.
        home: the project or the variant that has it.
    """
    if array in IMPORTED:
        return f"{home.repair} imports it again from its source file"
    if array not in ARRAYS:
        return "no step of clisc makes it, so it has to be put back from a copy"
    return f"run {home.in_words(command_for(array, split))}, which makes it again"


def remedy_for_network(name: str, home: Home) -> str:
    """How to get the weights of a network back, the project's or a variant's."""
    if name not in NETWORKS:
        return "no step of clisc trains it, so it has to be put back from a copy"
    return f"run {home.in_words(MADE_BY[name])}, which trains it again"


def _reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "memory does not suffice"
    return str(getattr(error, "strerror", None) or error)
