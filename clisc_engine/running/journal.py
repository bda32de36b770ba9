"""A line for each piece of work done on a project: which step, when, how long, where, and its outcome."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from clisc_engine.errors import DiskFault
from clisc_engine.files.atomic import disk_faults
from clisc_engine.files.reading import read_if_there
from clisc_engine.products.graph import MADE_BY
from clisc_engine.project.project import Project
from clisc_engine.running.control import Control
from clisc_engine.running.device import check_device_name, device_in_words
from clisc_engine.version import VERSION

FILE = "runs.jsonl"


@dataclass
class Entry:
    """One run of one stage.

    Attributes:
        stage: its name.
        started: time in UTC, ISO 8601.
        seconds: how long it took, loading of models included.
        device: what the networks ran on, in words; ``no network`` where none was needed.
        precision: 32, bf16 or 16.
        version: of clisc.
        outcome: done, or the error's first words.
        worked: whether anything was made; runs that found all up to date are not kept.
        made: cases or networks that have been made when the run ends, also if an earlier run did it.
    """

    stage: str
    started: str
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    device: str
    precision: str
    version: str
    outcome: str
    worked: bool = True
    made: list[str] = field(default_factory=list)


@contextmanager
def entry(project: Project, stage: str, control: Control) -> Iterator[Entry]:
    """Write an entry when the block ends, also when it ends by an error."""
    started = time.monotonic()
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    check_device_name(control.device)
    note = Entry(stage, stamp, 0.0, "", control.precision, VERSION, "done")
    try:
        yield note
    except BaseException as error:
        note.outcome = f"{type(error).__name__}: {error}"[:300]
        with suppress(DiskFault):  # the error that ends the run is the one to report
            _append(project.logs / FILE, note, started, control)
        raise
    _append(project.logs / FILE, note, started, control)


def entries(project: Project) -> list[Entry]:
    """All entries of a project, oldest first."""
    return read(project.logs)


def read(logs: Path) -> list[Entry]:
    """All entries in a folder of logs, oldest first; lines that are not whole are left out.

    Raises:
        Unreadable: when the file is there and cannot be read now.
    """
    path = logs / FILE
    found: list[Entry] = []
    text = (read_if_there(path) or b"").decode(errors="replace")
    for line in text.splitlines():
        if (entry := read_line(line)) is not None:
            found.append(entry)
    return found


def end_of(entry: Entry) -> str:
    """When a run ended, UTC in ISO 8601; empty when its entry is not whole."""
    with suppress(ValueError, OverflowError):
        ended = datetime.fromisoformat(entry.started) + timedelta(seconds=entry.seconds + 1)
        return ended.isoformat(timespec="seconds")
    return ""


def trained_at(project: Project, network: str) -> str:
    """When a network's finished weights were made, UTC; empty when nothing tells.

    Weights of 0.1.0 do not say it. Neither the end of the last run of their step nor the time of their
    file, which a copy changes, lies before it: the earlier of the two is told then.
    """
    holder = project.checkpoint(network).holder
    if time := holder.origin()[0]:
        return time
    runs = read(holder.folder.parent / project.logs.name)
    of_its_step = [end_of(one) for one in runs if one.stage == MADE_BY.get(network)]
    known = [max(of_its_step, default=""), stamp_of(holder.weights) if holder.weights.is_file() else ""]
    return min((time for time in known if time), default="")


def stamp_of(path: Path) -> str:
    """The time of a file, UTC in ISO 8601: the last resort, since a copy may have changed it."""
    modified = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return modified.isoformat(timespec="seconds")


def read_line(line: str) -> Entry | None:
    """The entry that a line holds; None when it is not whole."""
    try:
        return _adapter().validate_json(line)
    except ValidationError:
        return None


@functools.cache
def _adapter() -> TypeAdapter[Entry]:
    return TypeAdapter(Entry)


def _append(path: Path, note: Entry, started: float, control: Control) -> None:
    note.seconds = round(time.monotonic() - started, 3)
    if not note.worked or control.dry_run or control.ranks.rank > 0 or not control.stop.may_write:
        return
    ranks = f", {control.ranks.count} ranks" if control.ranks.count > 1 else ""
    note.device = device_in_words(control.device) + ranks
    with disk_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = not path.exists() or path.read_bytes()[-1:] in (b"", b"\n")  # or a kill cut the last line
        with path.open("a", encoding="utf-8") as file:
            file.write(("" if whole else "\n") + json.dumps(asdict(note)) + "\n")
