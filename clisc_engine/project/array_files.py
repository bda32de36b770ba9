"""The files of one array or group of a store."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy.typing as npt
from pydantic_core import from_json

from clisc_engine.files.atomic import sync, write_atomically


def write_array(folder: Path, data: npt.NDArray[Any], attributes: dict[str, Any]) -> None:
    """Write an array into a new folder, voxels first, attributes last.

    Volumes get one slice a chunk and one shard in all; other arrays one chunk. Data are assigned after
    the array is made, since zarr writes a wrong checksum for sharded arrays made with ``data=``
    (zarr-python issue 3169).
    """
    import zarr
    from zarr.codecs import Crc32cCodec, ZstdCodec

    sharded = data.ndim == 3
    array = zarr.create_array(
        store=str(folder),
        shape=data.shape,
        dtype=data.dtype,
        chunks=(1, *data.shape[1:]) if sharded else data.shape,
        shards=data.shape if sharded else None,
        compressors=[ZstdCodec(level=3), Crc32cCodec()],
        fill_value=0,
        config={"order": "C", "write_empty_chunks": True},
    )
    array[...] = data
    for path in folder.rglob("*"):
        sync(path)
    metadata = json.loads((folder / "zarr.json").read_text(encoding="utf-8"))
    metadata["attributes"] = attributes
    write_atomically(folder / "zarr.json", json.dumps(metadata, indent=1).encode())


def group_metadata(attributes: dict[str, Any]) -> bytes:
    """The metadata file of a group."""
    group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    return json.dumps(group, indent=1).encode()


def attributes_in(record: bytes) -> dict[str, Any]:
    """The attributes in a metadata file; empty when there are none to be understood."""
    metadata = parsed(record)
    attributes = metadata.get("attributes", {}) if isinstance(metadata, dict) else {}
    return attributes if isinstance(attributes, dict) else {}


def parsed(text: bytes) -> object:
    """The value of a JSON text; None of one that cannot be understood.

    pydantic's parser takes half as long as `json`, which a question about thousands of arrays notices, but
    it does not know lone surrogates: names of files that are no UTF-8 have them.
    """
    with suppress(ValueError):
        return from_json(text)
    try:
        return json.loads(text.decode())
    except (ValueError, RecursionError):
        return None
