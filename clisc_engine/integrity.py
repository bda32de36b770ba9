"""Whether a stored array, a checkpoint or a training's state still is what it was written as."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine.errors import BadInput
from clisc_engine.fingerprint import fingerprint
from clisc_engine.store import Seal, Store

GROUPS = ("labels", "cams", "masks")
"""Groups of a case that hold arrays."""


@dataclass(frozen=True)
class Expected:
    """What an array of a kind must be like.

    Attributes:
        dtype: of its values.
        dimensions: 3 for (Z, Y, X), 1 for (Z,).
        values: the only values allowed; empty allows all that are finite.
    """

    dtype: str
    dimensions: int
    values: tuple[int, ...] = ()


MASK = Expected("uint8", 3, (0, 1))
KINDS = {
    "image": Expected("float16", 3),
    "reference": MASK,
    "labels/probability": Expected("float32", 1),
    "labels/tumour": Expected("uint8", 1, (0, 1, 255)),
    "cams": Expected("uint8", 3),
    "masks": MASK,
}


def array_problem(store: Store, path: str, kind: str, seal: Seal, shape: Sequence[int]) -> str:
    """What is wrong with a sealed array; empty when nothing is.

    It is read back whole, so that every checksum is checked.

    Args:
        store: where it is.
        path: its path in the store.
        kind: its name in the case, e.g. ``masks/sam``.
        seal: its seal.
        shape: (Z, Y, X) that it must have, the case's image's or its file's; empty when not known.
    """
    if seal.fingerprint != fingerprint(seal.made_from):
        return "its fingerprint is not that of what made it"
    try:
        data = store.read(path)
    except BadInput as error:
        return _innermost(error)
    return _content_problem(data, kind, shape)


def metadata_problem(folder: Path) -> str:
    """What is wrong with the zarr.json of a group or an array that is there; empty when nothing is."""
    try:
        metadata = json.loads((folder / "zarr.json").read_text(encoding="utf-8"))
    except OSError as error:
        return f"its zarr.json cannot be read: {error.strerror}"
    except (ValueError, RecursionError):
        return "its zarr.json is not whole"
    if not isinstance(metadata, dict) or metadata.get("node_type") not in ("group", "array"):
        return "its zarr.json describes neither a group nor an array"
    return "" if isinstance(metadata.get("attributes", {}), dict) else "its attributes are not whole"


def weights_problem(folder: Path, name: str) -> str:
    """What is wrong with a checkpoint's finished weights; empty when nothing is."""
    from clisc_engine.checkpoints import Checkpoint

    try:
        tensors = Checkpoint(folder, name).tensors()
    except BadInput as error:
        return str(error)
    broken = [
        key for key, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()
    ]
    return f"{broken[0]} holds NaN or infinite weights" if broken else ""


def state_problem(path: Path) -> str:
    """What is wrong with the state of a training under way; empty when nothing is.

    PyTorch reads its archives without looking at their checksums; here they are looked at.
    """
    import torch

    try:
        with zipfile.ZipFile(path) as archive:
            if (entry := archive.testzip()) is not None:
                return f"the checksum of {entry} in it is wrong"
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        return f"it cannot be read ({type(error).__name__})"
    return "" if isinstance(state, dict) and "fingerprint" in state else "it holds no training's state"


def _content_problem(data: npt.NDArray[Any], kind: str, shape: Sequence[int]) -> str:
    expected = KINDS.get(kind) or KINDS.get(kind.split("/")[0])
    if expected is None:
        return ""
    if data.dtype != expected.dtype or data.ndim != expected.dimensions:
        return f"it is {data.ndim}-D {data.dtype}, not {expected.dimensions}-D {expected.dtype}"
    if shape and tuple(data.shape) != tuple(shape)[: data.ndim]:
        return f"its shape {data.shape} does not match that of the image, {tuple(shape)}"
    if data.dtype.kind == "f" and not np.isfinite(data).all():
        return "it holds NaN or infinite values"
    if expected.values and (odd := set(np.unique(data).tolist()) - set(expected.values)):
        return f"it holds the value {min(odd)}, which no {kind} has"
    return ""


def _innermost(error: BaseException) -> str:
    """The cause in a few words: the advice around it is the caller's to give."""
    cause = error.__cause__
    if cause is None:
        return "it has lost its data"
    text = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
    return text[:200]
