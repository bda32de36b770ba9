"""Variants: a project with some settings changed, sharing all that does not depend on the change.

A variant is a folder ``variants/NAME`` of its project with a store, checkpoints, logs and results of its
own. What it lacks is read from what it lies over, its project or another variant; what is written goes
only to its own folder. Freshness is by fingerprint, so what would come out the same is neither made again
nor copied. Only the settings changed are kept (``variant.json``): all others are the project's as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from clisc_engine.errors import BadInput
from clisc_engine.files.atomic import disk_faults, take_away, write_atomically
from clisc_engine.files.reading import inside, is_there, read_if_there
from clisc_engine.project.lock import VARIANTS
from clisc_engine.project.project import Project
from clisc_engine.settings.keys import with_changes

FILE = "variant.json"


class Record(BaseModel):
    """What makes a variant.

    Attributes:
        changes: the settings changed, by dotted key.
        over: name of the variant that it lies over; empty for the project.
        by_sweep: whether a sweep made it, and may remove it when no sweep needs it any more.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    changes: dict[str, Any]
    over: str = ""
    by_sweep: bool = False


def folder_of(project: Project, name: str) -> Path:
    """The folder of the variant of that name, whether there is one or not."""
    return project.base.root / VARIANTS / name


def variant_names(project: Project) -> list[str]:
    """Names of the project's variants, sorted."""
    folders = inside(project.base.root / VARIANTS)
    return [path.name for path in folders if not path.name.startswith(".") and is_there(path / FILE)]


def lay_over(project: Project, name: str, changes: Mapping[str, Any]) -> Project:
    """The variant ``name`` of a project or a variant, as it is on disk or would be; nothing is written.

    Raises:
        BadInput: when the changes are not valid.
    """
    settings = with_changes(project.settings, changes, f"variant {name}")
    return Project(folder_of(project, name), settings, project)


def keep(variant: Project, record: Record) -> None:
    """Write what makes a variant; nothing happens when that is there already.

    Raises:
        DiskFault: when the disk does not take it.
    """
    path = variant.root / FILE
    data = json.dumps(record.model_dump(), indent=1).encode()
    if read_if_there(path) != data:
        variant.store.check_may_write()
        with disk_faults(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)


def record_of(project: Project, name: str) -> Record:
    """What makes the variant of that name.

    Raises:
        BadInput: when there is none, or its record is not whole.
    """
    path = folder_of(project, name) / FILE
    text = read_if_there(path)
    if text is None:
        there = ", ".join(variant_names(project)) or "none"
        raise BadInput(f"{project.base.root} has no variant {name!r}; there are: {there}.")
    try:
        return Record.model_validate_json(text)
    except ValidationError:
        raise BadInput(f"{path} does not say what the variant changes; remove that folder.") from None


def open_variant(project: Project, name: str) -> Project:
    """The variant of that name, over all that it lies over.

    Raises:
        BadInput: when there is none, or what it changes is not valid.
    """
    record = record_of(project, name)
    if record.over == name:
        raise BadInput(f"Variant {name!r} lies over itself; remove its folder.")
    below = open_variant(project, record.over) if record.over else project.base
    return lay_over(below, name, record.changes)


def remove(project: Project, name: str) -> None:
    """Remove a variant with all that was made in it; one move takes it away, so that no half of it stays.

    Raises:
        DiskFault: when the disk does not do so.
    """
    take_away(folder_of(project, name))
