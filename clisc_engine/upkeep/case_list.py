"""The cases of a project as a table: split, size, source, volumes of tumour, and what was measured."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from clisc_engine.core.trust import Expected
from clisc_engine.errors import BadInput
from clisc_engine.products.declared import ROWS
from clisc_engine.products.kinds import NEWEST_FIRST
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.stages.evaluation import document as evaluation_document
from clisc_engine.stages.trust.table import overview


@dataclass
class Listed:
    """One case.

    Attributes:
        name: its name.
        split: train, valid or test.
        voxels: (x, y, z) of its file.
        spacing: (x, y, z) of its file, in mm.
        source: the file that was imported.
        reference: whether it has a reference mask.
        imported_as: its former name, where it was renamed.
        mask: the newest of its masks, e.g. ``masks/sam``; empty without any.
        ml: the volume of that mask; None without any, or when it cannot be read.
        expected: the DSC in percent to expect of the final mask, as `clisc trust` told it; None before.
        dsc: in percent, by row of the evaluation that measured the case.
        problem: why it is left out of everything; empty for a whole case.
    """

    name: str
    split: str = ""
    voxels: tuple[int, ...] = ()
    spacing: tuple[float, ...] = ()
    source: str = ""
    reference: bool = False
    imported_as: str = ""
    mask: str = ""
    ml: float | None = None
    expected: float | None = None
    dsc: dict[str, float] = field(default_factory=dict)
    problem: str = ""


def list_cases(project: Project) -> list[Listed]:
    """All cases, by name, the lost ones too."""
    stored = evaluation_document.load(project.store)
    scores: dict[str, dict[str, float]] = {}
    for entry in stored["cases"] if stored else ():
        if entry["dsc"] is not None and entry["name"] in ROWS:
            scores.setdefault(entry["case"], {})[entry["name"]] = round(float(entry["dsc"]), 2)
    dsc = overview(project).expected
    found = [
        _listed(case, dsc.get(case.info.name), scores.get(case.info.name, {})) for case in project.cases()
    ]
    found += [Listed(name, problem=why) for name, why in project.lost_cases().items()]
    return sorted(found, key=lambda one: one.name)


def _listed(case: CaseArrays, trust: Expected | None, dsc: dict[str, float]) -> Listed:
    info = case.info
    grid = info.placement["source"]
    mask = next((name for name in NEWEST_FIRST if case.seal(name) is not None), "")
    return Listed(
        info.name,
        info.split,
        tuple(grid["size"]),
        tuple(grid["spacing"]),
        info.source,
        info.has_reference,
        info.imported_as,
        mask,
        _volume(case, mask) if mask else None,
        round(trust.dsc, 1) if trust else None,
        dsc,
    )


def _volume(case: CaseArrays, mask: str) -> float | None:
    try:
        voxels = np.count_nonzero(case.read(mask))
    except BadInput:
        return None
    return round(voxels * float(np.prod(case.info.spacing)) / 1000, 2)
