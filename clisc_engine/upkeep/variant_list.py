"""The variants of a project at a glance, and what a new one would share, without a voxel."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clisc_engine.errors import BadInput, Unreadable
from clisc_engine.files.reading import inside, is_there
from clisc_engine.outputs.inputs import HISTORY, OWN_RESULTS
from clisc_engine.outputs.outputs import Inputs, Outputs
from clisc_engine.outputs.record import RECORD
from clisc_engine.products.graph import TABLES
from clisc_engine.project.lock import LOCK, VARIANTS
from clisc_engine.project.pending_promotion import Promotion
from clisc_engine.project.project import STORE, Project
from clisc_engine.project.variants import FILE, folder_of, open_variant, record_of, variant_names
from clisc_engine.upkeep.at_work import owner_at_work
from clisc_engine.upkeep.foresight import no_longer_fresh, size_of
from clisc_engine.upkeep.status import StageStatus
from clisc_engine.upkeep.survey import survey

_OWN = (FILE, STORE, "checkpoints", "logs", "results")
_OWN_RESULTS = {RECORD, HISTORY, "without_tumour.csv", *OWN_RESULTS, *(Path(name).name for name in TABLES)}


@dataclass(frozen=True)
class Listed:
    """A variant.

    Attributes:
        name: of it.
        changes: the settings that it changes, by dotted key.
        over: the variant that it lies over; empty for the project.
        by_sweep: whether a sweep made it.
        steps: the state of each step, as in `status`.
        bytes: that it takes on disk itself.
        at_work: the command that is at work on it; empty when none is.
        problem: why it cannot be opened; empty when it can.
    """

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    over: str = ""
    by_sweep: bool = False
    steps: dict[str, str] = field(default_factory=dict)
    bytes: int = 0
    at_work: str = ""
    problem: str = ""


def list_variants(project: Project) -> list[Listed]:
    """All variants of a project, by name; what is wrong with one does not hide the others."""
    return [_listed(project, name) for name in variant_names(project)]


def _listed(project: Project, name: str) -> Listed:
    folder = folder_of(project, name)
    size = size_of(folder)
    try:
        record = record_of(project, name)
        steps = {status.stage: status.state for status in survey(open_variant(project, name))}
    except Unreadable:
        raise
    except BadInput as error:
        return Listed(name, bytes=size, problem=str(error))
    worker = str(owner_at_work(folder) or "")
    return Listed(name, record.changes, record.over, record.by_sweep, steps, size, worker)


@dataclass(frozen=True)
class Foreseen:
    """What a variant would need, told before it is made.

    Attributes:
        anew: by step, what is fresh in what it lies over and would have to be made anew in the variant.
        shared: by step, how many products are fresh and shared.
        lacking: steps that are not done in what it lies over either.
    """

    anew: dict[str, list[str]]
    shared: dict[str, int]
    lacking: list[str]


def foresee(variant: Project) -> Foreseen:
    """What a variant has to make, and what it shares; nothing is written."""
    below = variant.parent or variant
    before, after = survey(below), survey(variant)
    anew = no_longer_fresh(before, after)
    shared = {status.stage: _fresh(status) for status in after}
    lacking = [status.stage for status in before if status.state in ("stale", "partly", "missing")]
    return Foreseen(anew, {step: count for step, count in shared.items() if count}, lacking)


def _fresh(status: StageStatus) -> int:
    return sum(item.state == "fresh" for item in status.items)


def replaced_bytes(root: Path, todo: Promotion) -> int:
    """What a promotion replaces in the project at ``root``, wherever it lies by now."""
    former = root / VARIANTS / todo.former
    places = (former / path if is_there(former / path) else root / path for path in todo.out)
    return sum(size_of(place) for place in places)


def foreign_files(project: Project, name: str) -> list[Path]:
    """What lies in a variant's folder and was not written there by clisc, or was changed since."""
    folder = folder_of(project, name)
    found = [path for path in inside(folder) if path.name not in _OWN and not path.name.startswith(LOCK)]
    outputs = Outputs(Inputs(()), "")
    for path in inside(folder / "results"):
        if (
            path.name not in _OWN_RESULTS
            and not path.name.endswith(".partial")
            and not outputs.is_ours(path)
        ):
            found.append(path)
    return found


def check_may_go(project: Project, name: str) -> None:
    """Refuse to take a variant's folder away while it holds what is not clisc's.

    Raises:
        BadInput: naming it.
    """
    if foreign := foreign_files(project, name):
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        names = ", ".join(map(str, foreign[:3])) + more
        raise BadInput(f"{names}: not written by clisc, or changed since; move it away first.")
