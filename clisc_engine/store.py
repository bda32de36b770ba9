"""The Zarr v3 store: one shard a volume, and arrays that count only once they are sealed.

An array is written beside its place, its seal last, after the voxels have reached the disk; then it
takes its place whole. A writer that is killed or meets a full disk therefore leaves the old array, or
none; what it had begun counts for nothing.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, TypeAdapter, ValidationError

from clisc_engine import __version__
from clisc_engine.errors import BadInput, DiskFault
from clisc_engine.limits import explain

SEAL = "clisc"
UNSEALED = "unsealed"
"""Marks the place of an array that `verify --repair` took away, and says why."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


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
        stamp = datetime.now(timezone.utc).isoformat(timespec="seconds")
        return cls(stage, fingerprint, made_from, stamp, __version__, round(seconds, 3))

    @classmethod
    def parse(cls, found: object) -> Seal | None:
        """The seal in an array's attributes; None when there is none, or one that is not whole."""
        try:
            return _seal_adapter().validate_python(found)
        except ValidationError:
            return None


@functools.cache
def _seal_adapter() -> TypeAdapter[Seal]:
    return TypeAdapter(Seal)


class Store:
    """Arrays and attributes by path, e.g. ``cases/a/masks/sam``."""

    def __init__(self, root: Path) -> None:
        """Use the store at ``root``; it is made on the first write."""
        self.root = root

    def write(
        self, path: str, data: npt.NDArray[Any], seal: Seal, attributes: dict[str, Any] | None = None
    ) -> None:
        """Replace the array at ``path`` by ``data``, sealed; further attributes are kept beside the seal.

        Raises:
            DiskFault: when the disk does not take it; the array that was there stays.
        """
        folder = self.root / path
        beside = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
        with disk_faults(folder):
            self._make_groups(Path(path).parent)
            for leftover in folder.parent.glob(f".{folder.name}.*.partial"):
                shutil.rmtree(leftover)
            try:
                _fill(beside, data, {**(attributes or {}), SEAL: asdict(seal)})
                _put_in_place(beside, folder)
            except BaseException:
                shutil.rmtree(beside, ignore_errors=True)
                raise

    def read(self, path: str) -> npt.NDArray[Any]:
        """The array at ``path``, checked against its checksums.

        Raises:
            BadInput: when it is missing, unsealed or damaged.
        """
        import zarr

        if self.seal(path) is None:
            raise BadInput(f"{self.root / path} is missing or was never finished.")
        if not any(p.is_file() for p in (self.root / path / "c").rglob("*")):
            raise BadInput(f"{self.root / path} has lost its data; run `clisc verify --repair`.")
        try:
            return np.asarray(zarr.open_array(str(self.root / path), mode="r")[...])
        except OSError as error:
            raise BadInput(f"Cannot read {self.root / path}: {error.strerror or error}.") from error
        except Exception as error:
            raise BadInput(
                f"{self.root / path} is damaged ({error}); `clisc verify --repair` takes it out, so "
                "that it can be made again."
            ) from error

    def seal(self, path: str) -> Seal | None:
        """The seal of an array; None when the array is missing or unfinished."""
        return Seal.parse(self.attributes(path).get(SEAL))

    def unsealed(self, path: str) -> str:
        """Why `unseal` took the array at ``path`` away; empty when it did not."""
        return str(self.attributes(path).get(UNSEALED, ""))

    def unseal(self, path: str, why: str) -> None:
        """Take away an array with its data, so that the stage that makes it does so again."""
        with disk_faults(self.root / path):
            self.remove(path)
            self.write_group(path, {UNSEALED: why})

    def attributes(self, path: str) -> dict[str, Any]:
        """The attributes of a group or an array; empty when there is none, or none to be understood.

        Raises:
            BadInput: when they cannot be read, which does not mean that they are gone.
        """
        file = self.root / path / "zarr.json"
        try:
            metadata = json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
            return {}
        except OSError as error:
            raise BadInput(f"Cannot read {file}: {error.strerror}.") from error
        attributes = metadata.get("attributes", {}) if isinstance(metadata, dict) else {}
        return attributes if isinstance(attributes, dict) else {}

    def write_group(self, path: str, attributes: dict[str, Any]) -> None:
        """Make a group, or replace its attributes."""
        folder = self.root / path
        with disk_faults(folder):
            self._make_groups(Path(path).parent)
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / "zarr.json", _group_metadata(attributes))

    def children(self, path: str) -> list[str]:
        """Names of the groups and arrays right under ``path``, sorted."""
        folder = self.root / path
        if not folder.is_dir():
            return []
        return sorted(
            p.name for p in folder.iterdir() if not p.name.startswith(".") and (p / "zarr.json").is_file()
        )

    def remove(self, path: str) -> None:
        """Remove an array or a group with all below it; nothing happens when there is none.

        The metadata goes first, so that a removal that is cut short leaves nothing that counts.
        """
        folder = self.root / path
        (folder / "zarr.json").unlink(missing_ok=True)
        if folder.exists():
            shutil.rmtree(folder)

    def _make_groups(self, path: Path) -> None:
        for group in [*reversed(path.parents), path]:
            folder = self.root / group
            if not (folder / "zarr.json").exists():
                folder.mkdir(parents=True, exist_ok=True)
                write_atomically(folder / "zarr.json", _group_metadata({}))


def write_atomically(path: Path, data: bytes) -> None:
    """Write beside, flush to the disk, and rename: readers see the old file or the new one.

    Raises:
        DiskFault: when the disk does not take it; the file that was there stays.
    """
    # A name of its own: threads that import cases make the same groups at once.
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.partial")
    with disk_faults(path):
        try:
            with beside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
        _sync(path.parent)


@contextmanager
def disk_faults(path: Path) -> Iterator[None]:
    """Turn what the system says against writing ``path`` into a `DiskFault` with advice."""
    try:
        yield
    except OSError as error:
        raise DiskFault(f"Cannot write {path}: {error.strerror or error}. {_advice(error)}") from error


def _advice(error: OSError) -> str:
    if error.errno in {errno.EFBIG, errno.EMFILE} and (limit := explain(error)):
        return f"{limit} What was finished is kept."
    if error.errno in _FULL:
        return "Free some space, then run the same command again; what was finished is kept."
    if error.errno in _FORBIDDEN:
        return "Make that folder writable, or work on a copy that is; what was finished is kept."
    return "Look at the disk and at the path, then run the same command again; what was finished is kept."


def _fill(folder: Path, data: npt.NDArray[Any], attributes: dict[str, Any]) -> None:
    """Write an array into a new folder, voxels first, attributes last.

    Volumes get one slice a chunk and one shard in all; other arrays one chunk. Data are assigned after
    the array is made, since zarr writes a wrong checksum for sharded arrays made with ``data=``
    (zarr-python issue 3169).
    """
    import zarr
    from zarr.codecs import Crc32cCodec, ZstdCodec
    from zarr.core.array_spec import ArrayConfig

    sharded = data.ndim == 3
    array = zarr.create_array(
        store=str(folder),
        shape=data.shape,
        dtype=data.dtype,
        chunks=(1, *data.shape[1:]) if sharded else data.shape,
        shards=data.shape if sharded else None,
        compressors=[ZstdCodec(level=3), Crc32cCodec()],
        fill_value=0,
        config=ArrayConfig(order="C", write_empty_chunks=True),
    )
    array[...] = data
    for path in folder.rglob("*"):
        _sync(path)
    metadata = json.loads((folder / "zarr.json").read_text(encoding="utf-8"))
    metadata["attributes"] = attributes
    write_atomically(folder / "zarr.json", json.dumps(metadata, indent=1).encode())


def _put_in_place(new: Path, folder: Path) -> None:
    """Let a finished folder take the place of the one that may be there."""
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old.partial")
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    _sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _group_metadata(attributes: dict[str, Any]) -> bytes:
    group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    return json.dumps(group, indent=1).encode()
