"""What clisc wrote into a folder, in a file beside it: known by name and SHA-256.

A line is added before its file is put in place, so that a file which a killed call left is known, too.
Lines are only ever added: processes that share a folder do not lose each other's.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clisc_engine.errors import BadInput
from clisc_engine.files.atomic import disk_faults
from clisc_engine.files.digest import sha256_of
from clisc_engine.files.reading import read_if_there
from clisc_engine.version import VERSION

RECORD = ".clisc-outputs.jsonl"
_DEPTH = 5
"""So many folders up a record may lie: that of a BIDS data set is three above its masks."""


@dataclass(frozen=True)
class Made:
    """What a file is, and what it was made from by name, e.g. the image and the network."""

    what: str
    made_from: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Written:
    """What the records tell of a file by its place.

    Attributes:
        what: it is, e.g. ``mask``.
        made_from: by name.
        time: when it was written, UTC.
        version: of clisc.
        same: whether the file still has the bytes that were written.
    """

    what: str
    made_from: Mapping[str, Any]
    time: str
    version: str
    same: bool


class Record:
    """The record of one folder."""

    def __init__(self, folder: Path) -> None:
        """Read what is there; lines that are not whole tell nothing."""
        self.path = folder / RECORD
        self._known: dict[str, set[str]] = {}
        self._latest: dict[str, dict[str, Any]] = {}
        self._masks: set[str] = set()
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_file()):
            raise BadInput(f"{self.path} is no file of clisc's; move it away, or choose another folder.")
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            content = b""
        except OSError as error:
            raise BadInput(f"Cannot read {self.path}: {error.strerror}.") from error
        for entry in entries_of(content):
            self._take(entry)

    def names(self) -> set[str]:
        """The files that were written here at some time."""
        return set(self._known)

    def knows(self, name: str, digest: str) -> bool:
        """Whether clisc wrote a file of this name and SHA-256."""
        return digest in self._known.get(name, ())

    def has_mask(self, digest: str) -> bool:
        """Whether clisc wrote a mask or a probability map of this SHA-256, whatever it is called by now."""
        return digest in self._masks

    def latest(self, name: str, digest: str) -> Made | None:
        """What the last file of this name is; None unless it has this SHA-256, by this version of clisc."""
        entry = self._latest.get(name, {})
        if entry.get("sha256") != digest or entry.get("version") != VERSION:
            return None
        made_from = entry.get("made_from")
        return Made(str(entry.get("what")), made_from if isinstance(made_from, dict) else {})

    def origin(self, name: str) -> Mapping[str, Any]:
        """What the last file of this name was made from; empty where there is none."""
        made_from = self._latest.get(name, {}).get("made_from")
        return made_from if isinstance(made_from, dict) else {}

    def adopt(self, name: str, digest: str, what: str = "") -> None:
        """Take this for a file of clisc's, and write nothing."""
        self._known.setdefault(name, set()).add(digest)
        if what in ("mask", "probability"):
            self._masks.add(digest)

    def note(self, name: str, digest: str, made: Made) -> None:
        """Add a line, and see it reach the disk.

        Raises:
            DiskFault: when the disk does not take it.
        """
        entry = _entry(name, digest, made)
        with disk_faults(self.path):
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            with os.fdopen(os.open(self.path, flags, 0o666), "r+b", buffering=0) as file:
                start = b"" if _ends_a_line(file.fileno()) else b"\n"  # or a kill cut the last line
                file.write(start + json.dumps(entry).encode() + b"\n")
                os.fsync(file.fileno())
        self.adopt(name, digest, made.what)
        self._latest[name] = entry

    def _take(self, entry: dict[str, Any]) -> None:
        name, digest, what = (entry.get(key) for key in ("file", "sha256", "what"))
        if isinstance(name, str) and isinstance(digest, str):
            self.adopt(name, digest, what if isinstance(what, str) else "")
            self._latest[name] = entry


def entries_of(content: bytes) -> Iterator[dict[str, Any]]:
    """The lines of a record from the first to the last, without those that are not whole."""
    for line in content.splitlines():
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            yield entry


def written_at(path: Path, digest: str) -> Written | None:
    """What clisc wrote at this place, by the record beside it or above it, as data sets have theirs.

    Args:
        path: of the file.
        digest: its SHA-256 now; of what was written there, what has it counts, else the last.

    Returns:
        None when no record names it.

    Raises:
        Unreadable: when a record cannot be read now.
    """
    place = path.absolute()
    lines = [
        entry
        for folder in list(place.parents)[:_DEPTH]
        for entry in entries_of(read_if_there(folder / RECORD) or b"")
        if entry.get("file") == place.relative_to(folder).as_posix()
    ]
    same = [entry for entry in lines if entry.get("sha256") == digest]
    if not lines:
        return None
    last = (same or lines)[-1]
    made_from = last.get("made_from")
    return Written(
        str(last.get("what", "file")),
        made_from if isinstance(made_from, Mapping) else {},
        str(last.get("time", "")),
        str(last.get("version", "")),
        bool(same),
    )


def _entry(name: str, digest: str, made: Made) -> dict[str, Any]:
    """A line of the record."""
    return {
        "file": name,
        "sha256": digest,
        "what": made.what,
        "made_from": dict(made.made_from),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": VERSION,
    }


class OwnMasks:
    """Which files are masks that clisc itself made; each record that tells of them is read once."""

    def __init__(self) -> None:
        """Nothing is read yet."""
        self._records: dict[Path, Record | None] = {}

    def has(self, path: Path) -> bool:
        """Whether clisc made the mask, or probability map, that lies there or where it links to.

        It does not matter whether it was renamed; one that was corrected is no longer clisc's.

        Raises:
            BadInput: when a record beside or above it cannot be read.
        """
        if not path.is_file():
            return False
        records = self._records_of(path)
        try:
            digest = sha256_of(path) if records else ""
        except OSError:  # its import says that it cannot be read
            return False
        return any(record.has_mask(digest) for record in records)

    def had(self, path: Path, digest: str) -> bool:
        """The same of a file of this SHA-256 that lay there once, whatever lies there now.

        Raises:
            BadInput: when a record beside or above it cannot be read.
        """
        return any(record.has_mask(digest) for record in self._records_of(path))

    def _records_of(self, path: Path) -> list[Record]:
        """The records beside and above a file, and the one that it links to."""
        folders = {
            folder for place in (path.absolute(), path.resolve()) for folder in list(place.parents)[:_DEPTH]
        }
        return [record for folder in folders if (record := self._record(folder)) is not None]

    def _record(self, folder: Path) -> Record | None:
        """The folder's record; None where it has none."""
        if folder not in self._records:
            self._records[folder] = Record(folder) if (folder / RECORD).is_file() else None
        return self._records[folder]


def _ends_a_line(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"


def is_regular(path: Path) -> bool:
    """Whether the path itself, no link followed, is a file with bytes."""
    return stat.S_ISREG(path.lstat().st_mode)
