"""Which command is at work on a project now, at what, how far it is, and how long it may take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from clisc_engine.files.words import seconds_in_words
from clisc_engine.products import graph
from clisc_engine.products.kinds import Network
from clisc_engine.project.curve import seconds_of_epochs
from clisc_engine.project.lock import LOCK
from clisc_engine.project.lock_owner import Owner, owner_of
from clisc_engine.project.project import Project
from clisc_engine.stages import recipes
from clisc_engine.upkeep.status import StageStatus, next_stage

LAST = 5
"""So many epochs, the last ones, tell how long one takes; the very first holds the start-up."""


@dataclass(frozen=True)
class Work:
    """What is going on.

    Attributes:
        command: e.g. ``clisc run``.
        process: its number on ``host``.
        host: the machine.
        since: when it took the project's lock, UTC.
        stage: the step that it is at; empty when that cannot be told.
        network: that is being trained; empty when none is.
        done: epochs or cases that are done.
        total: of so many; 0 when that cannot be told.
        unit: epoch or case.
        seconds_left: an estimate; None when there is nothing yet to tell it from.
    """

    command: str
    process: int
    host: str
    since: str
    stage: str = ""
    network: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    seconds_left: float | None = None

    def __str__(self) -> str:
        """E.g. ``classifier-raw epoch 3/10, about 40 s left, process 4711 on here since 07:19``."""
        parts = [f"{self.network} {self.unit} {self.done}/{self.total}".strip()] if self.total else []
        if self.seconds_left is not None:
            parts.append(f"about {seconds_in_words(self.seconds_left)} left")
        clock = datetime.fromisoformat(self.since).astimezone().strftime("%H:%M") if self.since else "?"
        return ", ".join([*parts, f"process {self.process} on {self.host} since {clock}"])


def note_work(project: Project, stages: Sequence[StageStatus]) -> Work | None:
    """What `at_work` tells, noted at its stage too."""
    work = at_work(project, stages)
    for status in stages:
        if work is not None and work.stage == status.stage:
            status.running, status.note = str(work), ""
    return work


def at_work(project: Project, stages: Sequence[StageStatus]) -> Work | None:
    """What a living process that holds the project's lock is doing; None when there is none.

    Args:
        project: the project, or a variant, which has a lock of its own.
        stages: its survey.
    """
    owner = owner_at_work(project.root)
    if owner is None:
        return None
    work = Work(owner.command, owner.pid, owner.host, owner.since)
    status = _stage_of(owner.command, stages)
    if status is None:
        return work
    network = _network_at_work(status)
    done, total, left = _epochs(project, network, owner) if network else _cases(status, owner)
    unit = "epoch" if network else "case"
    return Work(
        owner.command, owner.pid, owner.host, owner.since, status.stage, network, done, total, unit, left
    )


def owner_at_work(folder: Path) -> Owner | None:
    """The living process that holds the lock of a project's or a variant's folder; None without one."""
    lock = folder / LOCK
    owner = owner_of(lock)
    return owner if owner is not None and owner.is_alive(time.time() - _modified(lock)) else None


def _stage_of(command: str, stages: Sequence[StageStatus]) -> StageStatus | None:
    """The step that a command is at; `run` and its like are at the first one that is not done."""
    name = command.removeprefix("clisc ")
    if name in ("run", "demo"):
        name = next_stage(stages)
    return next((status for status in stages if status.stage == name), None)


def _network_at_work(status: StageStatus) -> str:
    """The network that a step trains now: arrays that it maps or predicts come after it."""
    networks = [p.name for p in graph.made_in(status.stage) if isinstance(p, Network)]
    behind = [item.product for item in status.items if item.state != "fresh"]
    first = behind[0] if behind else ""
    return first if first in networks else ""


def _epochs(project: Project, network: str, owner: Owner) -> tuple[int, int, float | None]:
    """Epochs done, of how many, and the seconds left."""
    total = getattr(project.settings, recipes.schedule_section(project, network)).epochs
    checkpoint = project.checkpoint(network)
    curve = checkpoint.curve.logged
    known = curve.is_file() and (_modified(curve) >= _begun(owner) or checkpoint.state.exists())
    seconds = seconds_of_epochs(curve) if known else []
    if not seconds:
        return 0, total, None
    usual = (seconds[1:] or seconds)[-LAST:]
    left = sum(usual) / len(usual) * max(total - len(seconds), 0)
    return len(seconds), total, max(left - max(time.time() - _modified(curve), 0.0), 0.0)


def _cases(status: StageStatus, owner: Owner) -> tuple[int, int, float | None]:
    """Cases done, of how many, and the seconds left by the pace since the command began."""
    done, total = status.cases
    lately = {item.case for item in status.items if item.state == "fresh" and item.time >= owner.since}
    elapsed = time.time() - _begun(owner)
    left = elapsed / len(lately) * (total - done) if lately and elapsed > 0 else None
    return done, total, left


def _begun(owner: Owner) -> float:
    try:
        return datetime.fromisoformat(owner.since).timestamp()
    except ValueError:
        return 0.0


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
