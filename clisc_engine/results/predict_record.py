"""The record in a folder of predictions: which mask was made from what, and how large the tumour is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from clisc_engine.errors import BadInput
from clisc_engine.files.atomic import write_atomically
from clisc_engine.files.reading import object_at

Entry: TypeAlias = dict[str, Any]
"""What the record tells of one volume: its file, its mask's, their volume, and what made it."""

RECORD = "predictions.json"
PART = "predictions.rank-{}.json"
"""What a further rank has made, until rank 0 puts it into the record at the end."""


def recorded(out: Path) -> dict[str, Entry]:
    """The entries of earlier calls; those that are not whole are left out, so their volumes come anew."""
    entries: dict[str, Entry] = {}
    for path in (out / RECORD, *_parts(out)):
        entries |= _whole(path)
    return entries


def made_from_of(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an entry says that its mask was made from; nothing where it says it in no way of ours."""
    made_from = entry["made_from"]
    return made_from if isinstance(made_from, Mapping) else {}


def check_record(path: Path) -> None:
    """Refuse to write where another program keeps a file of the record's name.

    Raises:
        BadInput: naming it.
    """
    if path.is_symlink() or (path.exists() and not _is_record(path)):
        raise BadInput(f"{path} is no record of clisc's; move it away, or choose another folder.")


def _is_record(path: Path) -> bool:
    return object_at(path) == {} or bool(_whole(path))


def put_together(out: Path, entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Make these the one record where ranks left parts, for no part may outlive what it tells of."""
    parts = _parts(out)
    if parts:
        write_record(out / RECORD, entries)
    for part in parts:
        part.unlink()
    return dict(entries)


def _parts(out: Path) -> list[Path]:
    """What further ranks left, and nothing else of a like name."""
    numbered = re.compile(re.escape(PART).replace(r"\{\}", r"\d+"))
    found = sorted(path for path in out.glob(PART.format("*")) if numbered.fullmatch(path.name))
    return [path for path in found if path.is_file() and not path.is_symlink() and _is_record(path)]


def write_record(path: Path, entries: Mapping[str, Entry]) -> None:
    """Write a record; it appears whole or not at all."""
    write_atomically(path, json.dumps(entries, indent=1).encode())


def _whole(path: Path) -> dict[str, Entry]:
    keys = {"image", "mask", "volume_ml", "made_from"}
    return {
        name: entry
        for name, entry in (object_at(path) or {}).items()
        if isinstance(entry, dict)
        and entry.keys() == keys
        and isinstance(entry["mask"], str)
        and isinstance(entry["volume_ml"], float)
    }
