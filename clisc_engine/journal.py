"""A line for each piece of work done on a project: which step, when, how long, where, and its outcome."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from clisc_engine import __version__
from clisc_engine.control import Control
from clisc_engine.project import Project

FILE = "runs.jsonl"


@dataclass
class Entry:
    """One run of one stage.

    Attributes:
        stage: its name.
        started: time in UTC, ISO 8601.
        seconds: how long it took, loading of models included.
        device: what the networks ran on, in words.
        precision: 32, bf16 or 16.
        version: of clisc.
        outcome: done, or the error's first words.
        worked: whether anything was made; runs that found all up to date are not kept.
    """

    stage: str
    started: str
    seconds: float
    device: str
    precision: str
    version: str
    outcome: str
    worked: bool = True


@contextmanager
def entry(project: Project, stage: str, control: Control) -> Iterator[Entry]:
    """Write an entry when the block ends, also when it ends by an error."""
    started = time.monotonic()
    stamp = datetime.now(timezone.utc).isoformat(timespec="seconds")
    device = _device(control)
    if control.ranks.count > 1:
        device += f", {control.ranks.count} ranks"
    note = Entry(stage, stamp, 0.0, device, control.precision, __version__, "done")
    try:
        yield note
    except BaseException as error:
        note.outcome = f"{type(error).__name__}: {error}"[:300]
        raise
    finally:
        note.seconds = round(time.monotonic() - started, 3)
        if note.worked and not control.dry_run and control.ranks.rank == 0:
            _append(project.logs / FILE, note)


def entries(project: Project) -> list[Entry]:
    """All entries, oldest first; a line that a kill cut short is left out."""
    path = project.logs / FILE
    found: list[Entry] = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            found.append(Entry(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def _append(path: Path, note: Entry) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(note)) + "\n")


def _device(control: Control) -> str:
    import torch

    from clisc_engine.models.device import pick_device

    device = pick_device(control.device)
    if device.type == "cuda":
        return f"{device}: {torch.cuda.get_device_name(device)}"
    threads = torch.get_num_threads()
    return f"{device}, {threads} thread{'s' if threads > 1 else ''}"
