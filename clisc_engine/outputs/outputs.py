"""The one place that decides whether a file may be written, and puts it there.

A command first names all that it is about to write (`Outputs.check`), so that it can be refused before any
work; then it puts one file after the other (`Outputs.put`). A file that is there already is replaced only
if clisc wrote it there, which the folder's record tells (`record`); so a mask that was corrected by
hand stays. Inputs, references and the parts of a project are never replaced, nor is anything written
through a link.
"""

from __future__ import annotations

import errno
import os
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from clisc_engine.errors import BadInput
from clisc_engine.files.atomic import disk_faults, sync
from clisc_engine.files.digest import sha256_of
from clisc_engine.imaging.endings import BARE_HEADERS, ending_of
from clisc_engine.outputs import rooms
from clisc_engine.outputs.inputs import Inputs, own_of_a_project
from clisc_engine.outputs.record import RECORD, Made, Record, is_regular

__all__ = ["Inputs", "Made", "Outputs"]

_NAMED = 20
"""So many files in the way are named one by one."""

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}


class Outputs:
    """The files that one call writes."""

    def __init__(
        self,
        inputs: Inputs,
        way_out: str,
        *,
        by_force: str = "",
        force: bool = False,
        home: Path | None = None,
    ) -> None:
        """Nothing is decided yet.

        Args:
            inputs: what is never replaced.
            way_out: what the user can do about files in the way.
            by_force: what else, as long as it is not done: e.g. replace some with --force.
            force: replace also files that clisc did not write.
            home: keep one record here for all files below; else each folder has its own.
        """
        self.inputs = inputs
        self.way_out = way_out if force or not by_force else f"{way_out.removesuffix('.')}, or {by_force}."
        self.force = force
        self.home = home
        self._records: dict[Path, Record] = {}

    def check(self, paths: Iterable[Path]) -> None:
        """Refuse these outputs unless each of them may be written; nothing is.

        What killed calls have left in their folders half written is removed.

        Raises:
            BadInput: naming all that may not, and those of which two are one.
        """
        taken: dict[tuple[Path, str], Path] = {}
        reasons: dict[Path, str] = {}
        for path in [part for whole in paths for part in _parts(whole)]:
            place = _place(path)
            key = place.parent, unicodedata.normalize("NFC", place.name.casefold())
            if key in taken:
                reasons[path] = f"would be written twice, also as {taken[key]}"
            elif why := self.why_not(path):
                reasons[path] = why
            taken[key] = path
        if reasons:
            raise BadInput(self._refusal(reasons))
        for folder in {path.parent for path in taken.values()}:
            rooms.remove_abandoned(folder)

    def why_not(self, path: Path) -> str:
        """Why this file may not be written, empty when it may.

        Raises:
            BadInput: when that cannot be told.
        """
        place = _place(path)
        if why := own_of_a_project(place) or self.inputs.holds(place):
            return why
        if path.name == RECORD:
            return "is the record of what clisc wrote"
        if not os.path.lexists(place):
            return ""
        if place.is_symlink():
            return f"is a link to {place.readlink()}"
        if not is_regular(place):
            return "is no file" if not place.is_dir() else "is a folder"
        if self.is_ours(path):
            return ""
        if self.force:
            return self._why_not_by_force(place)
        return "was changed since clisc wrote it" if self.is_changed(path) else "was not written by clisc"

    def _why_not_by_force(self, place: Path) -> str:
        try:
            return self.inputs.why_not_replaced(place)
        except OSError as error:
            raise BadInput(f"Cannot read {place}: {error.strerror}.") from error

    def is_ours(self, path: Path) -> bool:
        """Whether the file that is there is just as clisc wrote it there."""
        if not path.is_file() or path.is_symlink():
            return False
        if not self.is_known(path):
            return False
        try:
            digest = sha256_of(path)
        except OSError as error:
            raise BadInput(f"Cannot read {path}: {error.strerror}.") from error
        return self._record(path).knows(self._name(path), digest)

    def is_fresh(self, path: Path, made: Made) -> bool:
        """Whether the file that is there is just as this version of clisc wrote it, from the very same.

        A header's voxels beside it are not looked at: use it for formats of one file.
        """
        return self.made_of(path) == made

    def made_of(self, path: Path) -> Made | None:
        """What the file that is there is and was made from; None unless this version of clisc wrote it so.

        A header's voxels beside it are not looked at.
        """
        return self._record(path).latest(self._name(path), sha256_of(path)) if self.is_ours(path) else None

    def origin_of(self, path: Path) -> Mapping[str, Any]:
        """What clisc made the file from that it last wrote there; empty where it wrote none."""
        return self._record(path).origin(self._name(path))

    def adopt(self, path: Path) -> None:
        """Take a file that is there for clisc's own, as long as this call lasts."""
        self._record(path).adopt(self._name(path), sha256_of(path))

    def is_known(self, path: Path) -> bool:
        """Whether clisc wrote a file of this name there at some time."""
        return self._name(path) in self._record(path).names()

    def is_changed(self, path: Path) -> bool:
        """Whether there is something else by now than clisc wrote there."""
        return self.is_known(path) and not self.is_ours(path)

    def put(self, path: Path, write: Callable[[Path], None], made: Made) -> None:
        """Let ``write`` write a file, then put it in place: it appears whole or not at all.

        Args:
            path: where.
            write: gets the path of a new file in a folder of its own, of the same name with its ending in
                small letters. What else it writes there is put beside the file.
            made: for the record.

        Raises:
            BadInput: when the place may not be written, or not any more.
            DiskFault: when the disk does not take it; what was there stays.
        """
        with disk_faults(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            room = rooms.make_one(path.parent)
        try:
            ending = ending_of(path)
            new = room / (path.name.removesuffix(ending) + ending.lower())
            with disk_faults(path):
                write(new)
            beside = sorted(file for file in room.iterdir() if file != new)
            for file in (*beside, new):  # a header comes after its voxels
                self._put_in_place(file, path if file == new else path.with_name(file.name), made)
        finally:
            shutil.rmtree(room, ignore_errors=True)

    def put_bytes(self, path: Path, data: bytes, made: Made) -> None:
        """Put a file of these bytes; see `put`."""

        def write(new: Path) -> None:
            new.write_bytes(data)

        self.put(path, write, made)

    def remove(self, path: Path) -> None:
        """Remove a file of clisc's own; any other stays."""
        if self.is_ours(path):
            with disk_faults(path):
                path.unlink()

    def _put_in_place(self, file: Path, path: Path, made: Made) -> None:
        with disk_faults(path):
            sync(file)
            digest = sha256_of(file)
        if why := self.why_not(path):
            raise BadInput(self._refusal({path: why}))
        self._record(path).note(self._name(path), digest, made)
        with disk_faults(path):
            if os.path.lexists(path):
                file.replace(path)
            elif not _appears(file, path):
                raise BadInput(f"{path} was written by somebody else meanwhile; it is left as it is.")
            sync(path.parent)

    def _record(self, path: Path) -> Record:
        folder = self.home or path.parent
        if folder not in self._records:
            self._records[folder] = Record(folder)
        return self._records[folder]

    def _name(self, path: Path) -> str:
        return path.relative_to(self.home).as_posix() if self.home else path.name

    def _refusal(self, reasons: dict[Path, str]) -> str:
        shown = [f"{path} {why}" for path, why in list(reasons.items())[:_NAMED]]
        if len(reasons) == 1:
            return f"{shown[0]}; it stays as it is, and nothing was written. {self.way_out}"
        if len(reasons) > _NAMED:
            shown.append(f"and {len(reasons) - _NAMED} more")
        head = f"{len(reasons)} files are in the way; they stay as they are, and nothing was written."
        return "\n  ".join([f"{head} {self.way_out}", *shown])


def _parts(path: Path) -> list[Path]:
    """The file, and those that would be written beside it."""
    ending = ending_of(path)
    stem = path.name.removesuffix(ending)
    return [path, *(path.with_name(stem + end) for end in BARE_HEADERS.get(ending.lower(), ()))]


def _place(path: Path) -> Path:
    """The path with the links of its folder followed, its own not."""
    return Path(os.path.realpath(path.parent), path.name)


def _appears(file: Path, path: Path) -> bool:
    """Give a finished file its place; False when there is something by now, which stays."""
    try:
        path.hardlink_to(file)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):  # a file system without links: a moment in between remains
            return False
        with suppress(FileExistsError):
            file.rename(path)
    return True
