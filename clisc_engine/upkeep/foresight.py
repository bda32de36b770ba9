"""What a change of cases would make stale, and what would be lost with it, told before it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clisc_engine.files.words import counted
from clisc_engine.products.graph import EVALUATE
from clisc_engine.project.case_record import SPLITS
from clisc_engine.project.pending_change import Change
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.stages.evaluation import document
from clisc_engine.stages.requirements import faults_of
from clisc_engine.upkeep.status import StageStatus, seals_of
from clisc_engine.upkeep.survey import survey


@dataclass
class Effects:
    """What a change means.

    Attributes:
        stale: by step, what is fresh now and would not be: networks, or how many cases have such arrays.
        lost: by case, the arrays that would be gone.
        bytes: that would be won.
        seconds: that the lost arrays took.
    """

    stale: dict[str, list[str]] = field(default_factory=dict)
    lost: dict[str, list[str]] = field(default_factory=dict)
    bytes: int = 0
    seconds: float = 0.0


class AsIf(Project):
    """A project as it would be after a change: its cases are others, and it cannot be written."""

    def __init__(self, project: Project, change: Change) -> None:
        """Nothing is read yet."""
        super().__init__(project.root, project.settings, project.parent)
        self.change = change

    def cases(self, splits: tuple[str, ...] = SPLITS) -> list[CaseArrays]:
        """The cases after the change; a renamed one keeps its name, by which its arrays are found."""
        found = []
        for case in super().cases():
            after = self.change.of(case.info)
            if after is not None and after.split in splits:
                info = case.info if case.info.name in self.change.rename else after
                found.append(CaseArrays(info, case.store))
        return found


def no_longer_possible(project: Project, change: Change) -> list[str]:
    """Why a step could not be done after the change that can be done now; nothing is changed."""
    before = faults_of(project, project.settings)
    return [fault for fault in faults_of(AsIf(project, change), project.settings) if fault not in before]


def effects(project: Project, change: Change) -> Effects:
    """What the change would make stale and lose; nothing is changed."""
    before = survey(project)
    found = Effects(stale=no_longer_fresh(before, survey(AsIf(project, change))))
    if change.rename and _is_fresh(EVALUATE, before) and _measured(project) & set(change.rename):
        found.stale.setdefault(EVALUATE, ["results/rows.csv, which names the cases"])
    for case in project.cases():
        if case.info.name in change.remove:
            seals = seals_of(project, case)
            found.lost[case.info.name] = list(seals)
            found.seconds += sum(seal.seconds for seal in seals.values())
            found.bytes += size_of(project.store.root / "cases" / case.info.name)
    return found


def _measured(project: Project) -> set[str]:
    """The cases that the last evaluation names."""
    stored = document.load(project.store)
    if stored is None:
        return set()
    return {*(entry["case"] for entry in stored["cases"]), *stored["without_tumour"]["cases"]}


def _is_fresh(stage: str, statuses: Sequence[StageStatus]) -> bool:
    return any(status.stage == stage and status.state == "fresh" for status in statuses)


def size_of(folder: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    if folder.is_file():
        return folder.stat().st_size
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def no_longer_fresh(before: Sequence[StageStatus], after: Sequence[StageStatus]) -> dict[str, list[str]]:
    """By step, what was fresh and is not any more: networks, or of how many cases which arrays."""
    fresh = {(s.stage, i.product, i.case) for s in before for i in s.items if i.state == "fresh"}
    found: dict[str, list[str]] = {}
    for stage in after:
        behind = [
            item
            for item in stage.items
            if item.state != "fresh" and (stage.stage, item.product, item.case) in fresh
        ]
        products: dict[str, int] = {}
        for item in behind:
            products[item.product] = products.get(item.product, 0) + bool(item.case)
        if products:
            found[stage.stage] = [
                f"{product} of {counted(count, 'case')}" if count else product
                for product, count in products.items()
            ]
    return found
