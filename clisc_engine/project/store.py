"""The Zarr v3 store: one shard a volume, and arrays that count only once they are sealed.

An array is written beside its place, its seal last, after the voxels have reached the disk; then it
takes its place whole. A writer that is killed or meets a full disk therefore leaves the old array, or
none; what it had begun counts for nothing.

A store may lie over another, as a variant's does over its project's: what it lacks is read from the one
below, and all that is written goes into its own folder.

A *seal* is the record in an array's attributes that makes it count: the step that made it, what it was
made from (its provenance), a fingerprint of that, the time and clisc's version. An array without a seal
is missing; one whose fingerprint differs from the one it would get now is stale.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from clisc_engine.errors import BadInput, Home
from clisc_engine.files.atomic import disk_faults, put_in_place, sync, write_atomically
from clisc_engine.files.reading import holds_files, is_there, names_in, read_if_there, reading
from clisc_engine.project.array_files import attributes_in, group_metadata, write_array
from clisc_engine.version import VERSION

SEAL = "clisc"
UNSEALED = "unsealed"
"""Marks the place of an array that `verify --repair` took away, and says why."""


@dataclass(frozen=True)
class Seal:
    """What made an array: enough to resume, to see staleness and to tell its provenance."""

    stage: str
    fingerprint: str
    made_from: dict[str, str]
    time: str
    version: str
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]

    @classmethod
    def now(cls, stage: str, fingerprint: str, made_from: dict[str, str], seconds: float = 0.0) -> Seal:
        """A seal of this moment and this version."""
        stamp = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(stage, fingerprint, made_from, stamp, VERSION, round(seconds, 3))

    @classmethod
    def parse(cls, found: object) -> Seal | None:
        """The seal in an array's attributes; None when there is none, or one that is not whole."""
        try:
            return _seal_adapter().validate_python(found)
        except ValidationError:
            return None


class Stamp(NamedTuple):
    """What is kept in mind of a seal where those of very many arrays are compared."""

    fingerprint: str
    time: str
    seconds: float


@functools.cache
def _seal_adapter() -> TypeAdapter[Seal]:
    return TypeAdapter(Seal)


class _Attributes(TypedDict):
    """The attributes of an array, as far as its seal goes; its name is `SEAL`."""

    clisc: Seal


class _Sealed(TypedDict):
    """The metadata file of an array, likewise."""

    attributes: _Attributes


@functools.cache
def _sealed_adapter() -> TypeAdapter[_Sealed]:
    return TypeAdapter(_Sealed)


def _anybody() -> None:
    """Without a lock, nothing speaks against writing."""


class Store:
    """Arrays and attributes by path, e.g. ``cases/a/masks/sam``.

    Attributes:
        root: its folder.
        below: the store that is read for what this one lacks, and never written; None without.
        check_may_write: called, by whichever thread writes, before anything changes and again before an
            array takes its place; raises when this process may write no more.
    """

    def __init__(self, root: Path, below: Store | None = None) -> None:
        """Use the store at ``root``, over another one if it is given; it is made on the first write."""
        self.root, self.below = root, below
        self.check_may_write: Callable[[], None] = below.check_may_write if below else _anybody

    @property
    def home(self) -> Home:
        """The project, or the variant, whose store it is."""
        return Home.of(self.root.parent, is_variant=self.below is not None)

    def write(
        self, path: str, data: npt.NDArray[Any], seal: Seal, attributes: dict[str, Any] | None = None
    ) -> None:
        """Replace the array at ``path`` by ``data``, sealed; further attributes are kept beside the seal.

        Raises:
            DiskFault: when the disk does not take it; the array that was there stays.
        """
        self.check_may_write()
        folder = self.root / path
        beside = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
        with disk_faults(folder):
            self._make_groups(Path(path).parent)
            for leftover in folder.parent.glob(f".{folder.name}.*.partial"):
                shutil.rmtree(leftover)
            try:
                write_array(beside, data, {**(attributes or {}), SEAL: asdict(seal)})
                self.check_may_write()
                put_in_place(beside, folder)
            except BaseException:
                shutil.rmtree(beside, ignore_errors=True)
                raise

    def read(self, path: str) -> npt.NDArray[Any]:
        """The array at ``path``, checked against its checksums.

        Raises:
            Unreadable: when it cannot be read now, which says nothing of its state.
            BadInput: when it is missing, unsealed or damaged.
        """
        import zarr

        if self.below is not None and not _counts(self.own_attributes(path)):
            return self.below.read(path)
        folder = self.root / path
        if self.seal(path) is None:
            raise BadInput(f"{folder} is missing or was never finished.")
        with reading(folder):
            if not holds_files(folder / "c"):
                raise BadInput(f"{folder} has lost its data; run {self.home.repair}.")
            try:
                return np.asarray(zarr.open_array(str(folder), mode="r")[...])
            except (OSError, MemoryError):
                raise
            except Exception as error:
                raise BadInput(
                    f"{folder} is damaged ({error}); {self.home.repair} takes it out, so that "
                    "it can be made again."
                ) from error

    def seal(self, path: str) -> Seal | None:
        """The seal of an array; None when the array is missing or unfinished."""
        record = self._record(path)
        try:  # what is beside the seal need not become objects, which takes longer than all else
            return _sealed_adapter().validate_json(record)["attributes"]["clisc"]
        except ValidationError:  # it has none, or one below counts, or pydantic does not know the text
            return Seal.parse(self._over_those_below(path, attributes_in(record)).get(SEAL))

    def stamp(self, path: str) -> Stamp | None:
        """The stamp of an array's seal; None when the array is missing or unfinished."""
        seal = self.seal(path)
        return None if seal is None else Stamp(seal.fingerprint, sys.intern(seal.time), seal.seconds)

    def unsealed(self, path: str) -> str:
        """Why `unseal` took the array at ``path`` away; empty when it did not."""
        return str(self.attributes(path).get(UNSEALED, ""))

    def unseal(self, path: str, why: str) -> None:
        """Take away an array with its data, so that the stage that makes it does so again."""
        self.check_may_write()
        with disk_faults(self.root / path):
            self.remove(path)
            self.write_group(path, {UNSEALED: why})

    def attributes(self, path: str) -> dict[str, Any]:
        """The attributes of a group or an array; empty when there is none, or none to be understood.

        Those of a group that two stores have, one over the other, are taken together.

        Raises:
            Unreadable: when they cannot be read now, which does not mean that they are gone.
        """
        return self._over_those_below(path, self.own_attributes(path))

    def own_attributes(self, path: str) -> dict[str, Any]:
        """The same without what lies below."""
        return attributes_in(self._record(path))

    def _record(self, path: str) -> bytes:
        """The metadata file of a group or an array; empty when there is none."""
        return read_if_there(f"{self.root}/{path}/zarr.json") or b""

    def _over_those_below(self, path: str, own: dict[str, Any]) -> dict[str, Any]:
        if self.below is None or _counts(own):
            return own
        return {**self.below.attributes(path), **own}

    def write_group(self, path: str, attributes: dict[str, Any]) -> None:
        """Make a group, or replace its attributes."""
        self.check_may_write()
        folder = self.root / path
        with disk_faults(folder):
            self._make_groups(Path(path).parent)
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / "zarr.json", group_metadata(attributes))

    def change_attributes(self, path: str, changes: dict[str, Any]) -> None:
        """Replace some attributes of an array or a group, and leave its seal and its data as they are."""
        file = self.root / path / "zarr.json"
        with disk_faults(file):
            metadata = json.loads(file.read_text(encoding="utf-8"))
            metadata["attributes"] = {**self.attributes(path), **changes}
            write_atomically(file, json.dumps(metadata, indent=1).encode())

    def adopt(self, path: str, other: Store) -> None:
        """Move a finished array or group here from another store on the same disk; it replaces the old."""
        folder = self.root / path
        with disk_faults(folder):
            self._make_groups(Path(path).parent)
            put_in_place(other.root / path, folder)

    def rename(self, path: str, new: str) -> None:
        """Give an array or a group another path, in one move; there must be none at the new one.

        Raises:
            DiskFault: when the disk does not do so, or something is there.
        """
        self.check_may_write()
        folder, other = self.root / path, self.root / new
        with disk_faults(other):
            if other.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(other))
            folder.rename(other)
            sync(other.parent)

    def children(self, path: str) -> list[str]:
        """Names of the groups and arrays right under ``path``, sorted."""
        folder = f"{self.root}/{path}"
        own = [name for name in names_in(folder) if is_there(f"{folder}/{name}/zarr.json")]
        return sorted(own if self.below is None else {*own, *self.below.children(path)})

    def folders(self, path: str) -> set[str]:
        """Names right under ``path`` at which there may be a group or an array: none is looked into."""
        own = names_in(f"{self.root}/{path}")
        return {*own, *(self.below.folders(path) if self.below else ())}

    def has_folder(self, path: str) -> bool:
        """Whether there is a folder for the group or array at ``path``."""
        return (self.root / path).is_dir() or (self.below is not None and self.below.has_folder(path))

    def remove(self, path: str) -> None:
        """Remove an array or a group with all below it; nothing happens when there is none.

        The metadata goes first, so that a removal that is cut short leaves nothing that counts.
        """
        self.check_may_write()
        folder = self.root / path
        (folder / "zarr.json").unlink(missing_ok=True)
        if folder.exists():
            shutil.rmtree(folder)

    def _make_groups(self, path: Path) -> None:
        for group in [*reversed(path.parents), path]:
            folder = self.root / group
            if not is_there(folder / "zarr.json"):  # never in the place of a record that is away
                folder.mkdir(parents=True, exist_ok=True)
                write_atomically(folder / "zarr.json", group_metadata({}))


def _counts(attributes: dict[str, Any]) -> bool:
    """Whether these attributes are an array's that hides the one of the store below."""
    return SEAL in attributes or UNSEALED in attributes
