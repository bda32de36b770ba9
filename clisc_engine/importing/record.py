"""What `init` was asked for when it made a project: by this a second call is known for the same."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from clisc_engine.project.project import Project
from clisc_engine.settings.keys import value_of
from clisc_engine.settings.schema import Settings

GROUP = "cases"
ATTRIBUTE = "init"


@dataclass(frozen=True)
class InitRecord:
    """What was asked for.

    Attributes:
        settings: those named by --set, --preset, --weights or --seed, by dotted key.
        split_ratio: shares of train, valid and test.
        skipped: cases that could not be imported, with the content of their files.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    split_ratio: str = ""
    skipped: dict[str, str] = field(default_factory=dict)


def read_record(project: Project) -> InitRecord:
    """The project's record; an empty one when an older version made it."""
    found = project.store.attributes(GROUP).get(ATTRIBUTE)
    try:
        return TypeAdapter(InitRecord).validate_python(found)
    except ValidationError:
        return InitRecord()


def write_record(project: Project, record: InitRecord) -> None:
    """Put the record into the project's store."""
    project.store.write_group(GROUP, {ATTRIBUTE: asdict(record)})


def values_asked(settings: Settings, keys: Collection[str]) -> dict[str, Any]:
    """The settings under these keys as plain values."""
    return {key: json.loads(json.dumps(value_of(settings, key))) for key in sorted(keys)}
