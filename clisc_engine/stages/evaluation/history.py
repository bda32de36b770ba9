"""The evaluations of a project as a history: ``results/history/FINGERPRINT.json``, one file for each.

The fingerprint is that of the measured masks, references and settings, so an evaluation that is measured
again is the same one. The files are never changed; the project's own document is always the newest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.files.atomic import disk_faults, write_atomically
from clisc_engine.files.reading import inside, is_there, object_at
from clisc_engine.outputs.inputs import HISTORY
from clisc_engine.project.project import Project
from clisc_engine.settings.keys import known_keys, value_of
from clisc_engine.settings.schema import Settings
from clisc_engine.stages.evaluation import document as evaluation_document

_MARKS = ("state", "why", "fingerprint")
"""Of the entries of single cases, what is told of the masks rather than of the case; it is left out."""


@dataclass(frozen=True)
class Past:
    """An evaluation.

    Attributes:
        document: of `evaluate`, its single cases without marks.
        settings: all of the project's when it was measured, by dotted key; None where they are not known.
        known_as: the name that each measured case was imported under, by the name that it had.
        current: whether it is the project's document now.
    """

    document: dict[str, Any]
    settings: dict[str, Any] | None
    known_as: dict[str, str]
    current: bool

    @property
    def fingerprint(self) -> str:
        """By which it is known."""
        return str(self.document["fingerprint"])

    @property
    def time(self) -> str:
        """When it was measured, UTC in ISO 8601; empty where that is not known."""
        return str(self.document["time"])

    def with_document(self, document: dict[str, Any]) -> Past:
        """The same with its rows marked otherwise."""
        return replace(self, document=document)

    def differing(self, settings: Settings) -> dict[str, tuple[Any, Any]] | None:
        """The settings that differ from these, with the values then and now; None when not known."""
        if self.settings is None:
            return None
        pairs = {key: (self.settings[key], value_of(settings, key)) for key in _known(self.settings)}
        return {key: (then, now) for key, (then, now) in pairs.items() if then != now}


def settings_of(project: Project) -> dict[str, Any]:
    """All settings by dotted key, as plain values."""
    found: dict[str, Any] = json.loads(
        json.dumps({key: value_of(project.settings, key) for key in known_keys()})
    )
    return found


def keep(project: Project, document: Mapping[str, Any], settings: Mapping[str, Any] | None) -> None:
    """Keep an evaluation, unless it is kept already.

    Raises:
        DiskFault: when the disk does not take it.
    """
    path = _folder(project) / f"{document['fingerprint']}.json"
    if is_there(path):
        return
    identities = {case.info.name: case.info.identity for case in project.cases()}
    measured = list(dict.fromkeys(entry["case"] for entry in document["cases"]))
    cases = [{k: v for k, v in entry.items() if k not in _MARKS} for entry in document["cases"]]
    kept = {
        "settings": settings,
        "known_as": {name: identities.get(name, name) for name in measured},
        "document": {**document, "cases": cases},
    }
    with disk_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(kept, separators=(",", ":")).encode())


def past(project: Project) -> list[Past]:
    """All evaluations of a project or a variant, the newest first; files that are not whole are left out.

    Its document of now is among them even where no file has it, as in a project of version 0.1.0.
    """
    now = evaluation_document.load(project.store)
    current = now["fingerprint"] if now else ""
    found = [read(path, current) for path in inside(_folder(project)) if path.suffix == ".json"]
    kept = [one for one in found if one is not None]
    if now is not None and not any(one.current for one in kept):
        kept.append(Past(now, None, {}, current=True))
    return sorted(kept, key=lambda one: (one.time, one.current), reverse=True)


def current(project: Project) -> Past:
    """The project's evaluation of now.

    Raises:
        MissingStage: when there is none.
    """
    found = next((one for one in past(project) if one.current), None)
    now = evaluation_document.load(project.store)
    if found is None or now is None:
        command = project.store.home.in_words("evaluate")
        raise MissingStage(f"{project.root} was not evaluated yet; run {command} first.")
    return found.with_document(now)


def find(project: Project, mark: str) -> Past:
    """The evaluation whose fingerprint begins with ``mark``.

    Raises:
        BadInput: when there is none, or several.
    """
    everything = past(project)
    found = [one for one in everything if one.fingerprint.startswith(mark)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(one.fingerprint for one in found or everything) or "none"
    how_many = f"{len(found)} evaluations begin" if found else "no evaluation begins"
    listing = project.store.home.in_words("evaluate --history")
    raise BadInput(f"{project.root}: {how_many} with {mark!r}; there are: {there} ({listing}).")


def read(path: Path, current: str = "") -> Past | None:
    """The evaluation in a file; None when it is not whole, or not that of its name.

    Raises:
        Unreadable: when it cannot be read now.
    """
    kept = object_at(path)
    if kept is None:
        return None
    document = evaluation_document.whole(kept.get("document"))
    settings, known_as = kept.get("settings"), kept.get("known_as")
    if document is None or document["fingerprint"] != path.stem or not isinstance(known_as, dict):
        return None
    known = settings if isinstance(settings, dict) else None
    return Past(document, known, known_as, current=document["fingerprint"] == current)


def _known(settings: Mapping[str, Any]) -> list[str]:
    return [key for key in known_keys() if key in settings]


def _folder(project: Project) -> Path:
    return project.results / HISTORY
