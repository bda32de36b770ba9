"""How far a project is: what is made, what is fresh, what is stale and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from clisc_engine.files.sizes import bytes_below
from clisc_engine.products.graph import NETWORKS
from clisc_engine.products.kinds import REFERENCE
from clisc_engine.project.lock import VARIANTS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.project.store import Seal

State = Literal["fresh", "stale", "missing"]


@dataclass(frozen=True, slots=True)
class Item:
    """One product: an array of a case, or a trained network.

    Attributes:
        product: the array or network, e.g. ``cams/raw`` or ``unet-round1``.
        case: the case, empty for a network.
        state: fresh; stale, when it would come out otherwise now; missing.
        why: why it is not fresh.
        time: when it was made, UTC; empty when unknown.
        seconds: how long that took.
    """

    product: str
    case: str
    state: State
    why: str = ""
    time: str = ""
    seconds: float = 0.0


@dataclass
class StageStatus:
    """How far one stage is.

    Attributes:
        stage: its name.
        items: all that it makes, in order.
        note: what else is to say, e.g. a training under way, or why it cannot run.
        possible: whether it can run at all.
        running: what a process that is at work on it does now; empty when none is.
    """

    stage: str
    items: list[Item] = field(default_factory=list)
    note: str = ""
    possible: bool = True
    running: str = ""

    @property
    def state(self) -> str:
        """fresh, stale, partly (some cases lack), missing, impossible, or running."""
        if self.running:
            return "running"
        states = {item.state for item in self.items}
        if not self.possible or not states:
            return "impossible"
        if "stale" in states:
            return "stale"
        return "partly" if len(states) > 1 else next(iter(states))

    @property
    def cases(self) -> tuple[int, int]:
        """How many cases are fresh in all their arrays, of how many; a lone network or table is one."""
        names = {item.case for item in self.items if item.case} or {""}
        behind = {item.case for item in self.items if item.state != "fresh"}
        return len(names - behind), len(names)

    @property
    def unit(self) -> str:
        """What `cases` counts: case, network or table."""
        if any(item.case for item in self.items):
            return "case"
        return "network" if any(item.product in NETWORKS for item in self.items) else "table"

    @property
    def why(self) -> str:
        """The reason of the first item that is stale, else of the first that is missing; or what runs."""
        if self.running:
            return self.running
        if not self.possible:
            return self.note
        reasons = [i.why for state in ("stale", "missing") for i in self.items if i.state == state]
        return next((reason for reason in reasons if reason), self.note)

    @property
    def time(self) -> str:
        """When the newest item was made."""
        return max((item.time for item in self.items), default="")

    @property
    def seconds(self) -> float:
        """How long all items took."""
        return sum(item.seconds for item in self.items)


def next_stage(stages: Sequence[StageStatus]) -> str:
    """The first stage with anything to do; empty when there is none."""
    return next((s.stage for s in stages if s.state in {"stale", "partly", "missing"}), "")


def seals_of(project: Project, case: CaseArrays) -> dict[str, Seal]:
    """Every sealed array of a case by name; its reference is left out."""
    found: dict[str, Seal] = {}
    for name in _arrays(project, f"cases/{case.info.name}"):
        if name != REFERENCE and (seal := case.seal(name)):
            found[name] = seal
    return found


def _arrays(project: Project, group: str, prefix: str = "") -> list[str]:
    """Paths of the sealed arrays below a group, relative to it."""
    found: list[str] = []
    for name in project.store.children(group):
        if project.store.seal(f"{group}/{name}") is not None:
            found.append(prefix + name)
        else:
            found += _arrays(project, f"{group}/{name}", f"{prefix}{name}/")
    return found


def items_of(stages: Sequence[StageStatus], case: str) -> dict[str, Item]:
    """What the stages make of one case, by array."""
    return {item.product: item for status in stages for item in status.items if item.case == case}


def disk_use(project: Project) -> dict[str, int]:
    """Bytes on disk of store, checkpoints, logs, results and cache, and of variants and sweeps if any.

    A variant's are its own alone: it has no cache.
    """
    folders = [project.store.root, project.checkpoints, project.logs, project.results]
    folders += [] if project.parent else [project.cache]
    folders += [folder for name in (VARIANTS, "sweeps") if (folder := project.root / name).is_dir()]
    return {folder.name: bytes_below(folder) for folder in folders}
