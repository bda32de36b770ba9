"""The sweeps of a project at a glance, without a voxel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clisc_engine.project.fingerprint import difference
from clisc_engine.project.project import Project
from clisc_engine.sweeps import record
from clisc_engine.sweeps.measuring import settings_behind
from clisc_engine.sweeps.sweep import Sweep, folder_name, plain


@dataclass(frozen=True)
class Line:
    """A sweep.

    Attributes:
        name: of it.
        row: of the tables that it measures.
        values: of each setting, in words.
        points: how many there are, seeds counted.
        measured: how many of them are measured.
        why: what no longer holds of its result, or of the values measured; empty when all does.
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
        measured = [one for point in points if (one := record.measured(project, sweep, point)) is not None]
        result = record.result(project, name)
        why = (outdated(project, result) if result else "") or _measured_otherwise(project, sweep, measured)
        found.append(Line(name, sweep.row, values, len(points), len(measured), why))
    return found


def _measured_otherwise(project: Project, sweep: Sweep, measured: Sequence[Mapping[str, Any]]) -> str:
    """Of how many values the settings were others, and which; earlier versions did not note them."""
    now = settings_behind(project, sweep)
    changes = [difference(one["settings"], now) for one in measured if "settings" in one]
    others = [changed for changed in changes if changed]
    return f"{len(others)} of them with other settings: {others[0]}" if others else ""


def outdated(project: Project, result: Mapping[str, Any]) -> str:
    """Why a result is not of the project as it is now, in words; empty when it is."""
    name = str(result["sweep"])
    asked = record.asked(project, name)
    if asked is None:
        return "its record is gone"
    changed = difference(result["settings"], settings_behind(project, asked.sweep()))
    return f"made with other settings: {changed}" if changed else ""
