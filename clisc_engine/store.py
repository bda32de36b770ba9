"""The Zarr v3 store: one shard a volume, and arrays that count only once they are sealed.

An array's seal is written last, after the voxels have reached the disk. A writer killed at any
instant therefore leaves either the old array, or one without a seal, which counts as missing.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine import __version__
from clisc_engine.errors import BadInput

SEAL = "clisc"


@dataclass(frozen=True)
class Seal:
    """What made an array: enough to resume, to see staleness and to tell its provenance."""

    stage: str
    fingerprint: str
    made_from: dict[str, str]
    time: str
    version: str
    seconds: float

    @classmethod
    def now(cls, stage: str, fingerprint: str, made_from: dict[str, str], seconds: float = 0.0) -> Seal:
        """A seal of this moment and this version."""
        stamp = datetime.now(timezone.utc).isoformat(timespec="seconds")
        return cls(stage, fingerprint, made_from, stamp, __version__, round(seconds, 3))


class Store:
    """Arrays and attributes by path, e.g. ``cases/a/masks/sam``."""

    def __init__(self, root: Path) -> None:
        """Use the store at ``root``; it is made on the first write."""
        self.root = root

    def write(self, path: str, data: npt.NDArray[Any], seal: Seal) -> None:
        """Replace the array at ``path`` by ``data`` and seal it.

        Volumes get one slice a chunk and one shard in all; other arrays one chunk. Data are
        assigned after the array is made, since zarr writes a wrong checksum for sharded arrays made
        with ``data=`` (zarr-python issue 3169).
        """
        import zarr
        from zarr.codecs import Crc32cCodec, ZstdCodec
        from zarr.core.array_spec import ArrayConfig

        folder = self.root / path
        self.remove(path)
        self._make_groups(Path(path).parent)
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
        for file in folder.rglob("*"):
            if file.is_file():
                _sync(file)
        metadata = json.loads((folder / "zarr.json").read_text(encoding="utf-8"))
        metadata.setdefault("attributes", {})[SEAL] = asdict(seal)
        write_atomically(folder / "zarr.json", json.dumps(metadata, indent=1).encode())

    def read(self, path: str) -> npt.NDArray[Any]:
        """The array at ``path``, checked against its checksums.

        Raises:
            BadInput: when it is missing, unsealed or damaged.
        """
        import zarr

        if self.seal(path) is None:
            raise BadInput(f"{self.root / path} is missing or was never finished.")
        if not any(p.is_file() for p in (self.root / path / "c").rglob("*")):
            raise BadInput(f"{self.root / path} has lost its data; run the stage that makes it again.")
        try:
            return np.asarray(zarr.open_array(str(self.root / path), mode="r")[...])
        except Exception as error:
            raise BadInput(
                f"{self.root / path} is damaged ({error}); remove that folder and run the stage "
                "that makes it again."
            ) from error

    def seal(self, path: str) -> Seal | None:
        """The seal of an array; None when the array is missing or unfinished."""
        found = self.attributes(path).get(SEAL)
        try:
            return Seal(**found) if isinstance(found, dict) else None
        except TypeError:
            return None

    def attributes(self, path: str) -> dict[str, Any]:
        """The attributes of a group or an array; empty when there is none."""
        try:
            metadata = json.loads((self.root / path / "zarr.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        attributes = metadata.get("attributes", {}) if isinstance(metadata, dict) else {}
        return attributes if isinstance(attributes, dict) else {}

    def write_group(self, path: str, attributes: dict[str, Any]) -> None:
        """Make a group, or replace its attributes."""
        folder = self.root / path
        self._make_groups(Path(path).parent)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "zarr.json", _group_metadata(attributes))

    def children(self, path: str) -> list[str]:
        """Names of the groups and arrays right under ``path``, sorted."""
        folder = self.root / path
        if not folder.is_dir():
            return []
        return sorted(p.name for p in folder.iterdir() if (p / "zarr.json").is_file())

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
    """Write beside, flush to the disk, and rename: readers see the old file or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _group_metadata(attributes: dict[str, Any]) -> bytes:
    group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    return json.dumps(group, indent=1).encode()
