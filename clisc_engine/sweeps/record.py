"""Sweeps on disk: ``sweeps/NAME`` holds what was asked for, what was measured at each point, and tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from clisc_engine.errors import BadInput
from clisc_engine.files.atomic import disk_faults, take_away, write_atomically
from clisc_engine.files.reading import inside, is_there, object_at, read_if_there
from clisc_engine.files.tables import rounded, write_table
from clisc_engine.files.words import shell_word
from clisc_engine.project import variants
from clisc_engine.project.project import Project
from clisc_engine.sweeps.sweep import Axis, Sweep, plain

SWEEPS = "sweeps"
"""Folder of a project's sweeps."""
FILE, RESULT, TABLE, CASES = "sweep.json", "result.json", "table.csv", "cases.csv"
MEASURED = "measured"
"""Folder of what was measured, a file a point: tasks of an array job write side by side."""


class Asked(BaseModel):
    """What was asked for, in the last call.

    Attributes:
        values: of each setting, by key in the order asked.
        row: of the tables.
        splits: whose cases are measured.
        seeds: all of them, or none for the project's own.
        variants: every variant that a call of this sweep made use of.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    values: dict[str, list[Any]]
    row: str
    splits: list[str]
    seeds: list[int]
    variants: list[str]

    def sweep(self) -> Sweep:
        """The same as a sweep."""
        axes = tuple(Axis(key, tuple(values)) for key, values in self.values.items())
        return Sweep(axes, self.row, tuple(self.splits), tuple(self.seeds))


def folder_of(project: Project, name: str) -> Path:
    """The folder of a sweep."""
    return project.base.root / SWEEPS / name


def sweep_names(project: Project) -> list[str]:
    """Names of the project's sweeps, sorted."""
    folders = inside(project.base.root / SWEEPS)
    return [path.name for path in folders if not path.name.startswith(".") and is_there(path / FILE)]


def asked(project: Project, name: str) -> Asked | None:
    """What was asked for; None when there is no such sweep, or its record is not whole."""
    text = read_if_there(folder_of(project, name) / FILE)
    try:
        return Asked.model_validate_json(text or b"")
    except ValidationError:
        return None


def note_asked(project: Project, sweep: Sweep, used: Iterable[str]) -> None:
    """Keep what is asked for before anything is made, so that what follows can be listed and removed."""
    before = asked(project, sweep.name)
    known = {*(before.variants if before else ()), *used}
    record = Asked(
        values={axis.key: list(axis.values) for axis in sweep.axes},
        row=sweep.row,
        splits=list(sweep.splits),
        seeds=list(sweep.seeds),
        variants=sorted(known),
    )
    if record != before:
        _write(folder_of(project, sweep.name) / FILE, record.model_dump())


def measured(project: Project, sweep: Sweep, point: str) -> dict[str, Any] | None:
    """What was measured at a point; None when nothing was."""
    return object_at(_measured_file(project, sweep, point))


def note_measured(project: Project, sweep: Sweep, point: str, found: Mapping[str, Any]) -> None:
    """Keep what was measured at a point."""
    _write(_measured_file(project, sweep, point), found)


def result(project: Project, name: str) -> dict[str, Any] | None:
    """The result of a sweep as it was last shown whole; None before that."""
    return object_at(folder_of(project, name) / RESULT)


def note_result(project: Project, sweep: Sweep, document: Mapping[str, Any]) -> None:
    """Keep a result: JSON, and two tables for other programs; nothing is written if it is there already."""
    folder = folder_of(project, sweep.name)
    if object_at(folder / RESULT) == json.loads(json.dumps(document)):
        return
    keys = list(sweep.keys)
    summary = ["n", "empty", "dsc_mean", "dsc_std", "hd95_mean", "hd95_std", "seeds", "dsc_std_of_seeds"]
    points = [
        _exact(point["values"])
        | rounded({**{name: point[name] for name in summary}, "seeds": len(point["seeds"])})
        for point in document["points"]
    ]
    write_table(folder / TABLE, [*keys, *summary], points)
    columns = [*keys, "seed", "case", "dsc", "hd95", "empty", "volume_ml", "predicted_ml"]
    cases = [
        _exact(point["values"])
        | rounded({"seed": one["seed"], **{name: case[name] for name in columns[len(keys) + 1 :]}})
        for point in document["points"]
        for one in point["seeds"]
        for case in one["cases"]
    ]
    write_table(folder / CASES, columns, cases)
    _write(folder / RESULT, document)


def remove(project: Project, name: str) -> list[str]:
    """Remove a sweep, and the variants that sweeps made and no other sweep needs; their names.

    Raises:
        BadInput: when there is no such sweep.
        DiskFault: when the disk does not do so.
    """
    gone = to_remove(project, name)
    for variant in reversed(gone):  # what lies over another goes first
        variants.remove(project, variant)
    take_away(folder_of(project, name))
    return gone


def to_remove(project: Project, name: str) -> list[str]:
    """The variants that would go with a sweep; one that lies over another comes after it.

    Raises:
        BadInput: when there is no such sweep.
    """
    if name not in sweep_names(project):
        there = ", ".join(sweep_names(project)) or "none"
        raise BadInput(f"{project.root} has no sweep {name!r}; there are: {there}.")
    record = asked(project, name)
    return _unneeded(project, without=name, among=record.variants if record else ())


def refuse_if_needed(project: Project, variant: str) -> None:
    """Refuse to do away with a variant that a sweep made and makes use of.

    Raises:
        BadInput: naming the sweep.
    """
    for name in sweep_names(project):
        record = asked(project, name)
        if record is not None and variant in record.variants:
            raise BadInput(
                f"The variant {variant!r} is a value of the sweep {name}; "
                f"`clisc sweep remove {shell_word(project.base.root)} {name}` removes both."
            )


def _unneeded(project: Project, *, without: str, among: Iterable[str]) -> list[str]:
    records = {name: variants.record_of(project, name) for name in variants.variant_names(project)}
    others = (asked(project, name) for name in sweep_names(project) if name != without)
    kept = {variant for other in others if other for variant in other.variants}
    kept |= {name for name, record in records.items() if not record.by_sweep}
    kept |= {below for name in kept for below in _below(records, name)}
    found = [name for name in among if name in records and name not in kept]
    return sorted(found, key=lambda name: (len(_below(records, name)), name))


def _below(records: Mapping[str, variants.Record], name: str) -> set[str]:
    """The variants that one lies over."""
    found: set[str] = set()
    while name in records and records[name].over and records[name].over not in found:
        name = records[name].over
        found.add(name)
    return found


def _exact(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a point for a table: numbers with all their digits, all else as it is typed."""
    return {
        key: plain(value) if isinstance(value, bool) or not isinstance(value, int | float) else value
        for key, value in values.items()
    }


def _measured_file(project: Project, sweep: Sweep, point: str) -> Path:
    return folder_of(project, sweep.name) / MEASURED / f"{point}.json"


def _write(path: Path, document: Mapping[str, Any]) -> None:
    with disk_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(document, indent=1).encode())
