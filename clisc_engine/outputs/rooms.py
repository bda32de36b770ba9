"""The hidden folders in which outputs are written before they get their place."""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from clisc_engine.project.lock_owner import Owner
from clisc_engine.project.owner_marks import MARK, is_abandoned, mark_of

_NAME = re.compile(rf"\.clisc-(?P<mark>{MARK.pattern})-[0-9a-f]{{12}}\.partial")


def make_one(folder: Path) -> Path:
    """A new one, empty, whose name tells whose it is."""
    room = folder / f".clisc-{mark_of(Owner.this_process(''))}-{secrets.token_hex(6)}.partial"
    room.mkdir()
    return room


def abandoned(folder: Path) -> Iterator[Path]:
    """Those that killed calls have left in a folder: what is in them was never finished."""
    with suppress(OSError):
        for room in folder.glob(".clisc-*.partial"):
            name = _NAME.fullmatch(room.name)
            if name is None or room.is_symlink() or not room.is_dir():
                continue
            if is_abandoned(name["mark"], time.time() - room.stat().st_mtime):
                yield room


def remove_abandoned(folder: Path) -> None:
    """Remove what killed calls have left in a folder."""
    for room in list(abandoned(folder)):
        shutil.rmtree(room, ignore_errors=True)
