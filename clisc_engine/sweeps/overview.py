"""The sweeps of a project at a glance, without a voxel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clisc_engine.project.fingerprint import difference
from clisc_engine.project.project import Project
from clisc_engine.sweeps import record
from clisc_engine.sweeps.measuring import settings_behind
from clisc_engine.sweeps.sweep import folder_name, plain


@dataclass(frozen=True)
class Line:
    """A sweep.

    Attributes:
        name: of it.
        row: of the tables that it measures.
        values: of each setting, in words.
        points: how many there are, seeds counted.
        measured: how many of them are measured.
        why: what no longer holds of its result; empty when all does, or there is none yet.
    """

    name: str
    row: str
    values: str
    points: int
    measured: int
    why: str


def overview(project: Project) -> list[Line]:
    """All sweeps, by name; one whose record is not whole is left out."""
    found: list[Line] = []
    for name in record.sweep_names(project):
        asked = record.asked(project, name)
        if asked is None:
            continue
        sweep = asked.sweep()
        values = " ".join(f"{axis.key}={','.join(map(plain, axis.values))}" for axis in sweep.axes)
        values += f" --seeds {len(sweep.seeds)}" if sweep.seeds else ""
        points = [
            folder_name({axis.key: point[axis.key] for axis in sweep.levels}) for point in sweep.points()
        ]
        measured = sum(record.measured(project, sweep, point) is not None for point in points)
        result = record.result(project, name)
        why = outdated(project, result) if result else ""
        found.append(Line(name, sweep.row, values, len(points), measured, why))
    return found


def outdated(project: Project, result: Mapping[str, Any]) -> str:
    """Why a result is not of the project as it is now, in words; empty when it is."""
    name = str(result["sweep"])
    asked = record.asked(project, name)
    if asked is None:
        return "its record is gone"
    changed = difference(result["settings"], settings_behind(project, asked.sweep()))
    return f"made with other settings: {changed}" if changed else ""
