"""Whether a stored array, a checkpoint or a training's state still is what it was written as."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine.errors import BadInput, Unreadable
from clisc_engine.files.reading import read_if_there
from clisc_engine.products.graph import ARRAYS
from clisc_engine.products.kinds import Array
from clisc_engine.project.fingerprint import fingerprint
from clisc_engine.project.state_file import DamagedState, read_state
from clisc_engine.project.store import Seal, Store


def array_problem(store: Store, path: str, kind: str, seal: Seal, shape: Sequence[int]) -> str:
    """What is wrong with a sealed array; empty when nothing is.

    It is read back whole, so that every checksum is checked.

    Args:
        store: where it is.
        path: its path in the store.
        kind: its name in the case, e.g. ``masks/sam``.
        seal: its seal.
        shape: (Z, Y, X) that it must have, the case's image's or its file's; empty when not known.

    Raises:
        Unreadable: when it cannot be read now, which says nothing of its state.
    """
    if seal.fingerprint != fingerprint(seal.made_from):
        return "its fingerprint is not that of what made it"
    try:
        data = store.read(path)
    except Unreadable:
        raise
    except BadInput as error:
        return _innermost(error)
    return _content_problem(data, kind, shape)


def metadata_problem(folder: Path) -> str:
    """What is wrong with the zarr.json of a group or an array that is there; empty when nothing is.

    Raises:
        Unreadable: when it is there and cannot be read now.
    """
    text = read_if_there(folder / "zarr.json")
    if text is None:
        return "its zarr.json is gone"
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError):
        return "its zarr.json is not whole"
    if not isinstance(metadata, dict) or metadata.get("node_type") not in ("group", "array"):
        return "its zarr.json describes neither a group nor an array"
    return "" if isinstance(metadata.get("attributes", {}), dict) else "its attributes are not whole"


def weights_problem(folder: Path, name: str) -> str:
    """What is wrong with a checkpoint's finished weights; empty when nothing is.

    Raises:
        Unreadable: when they cannot be read now.
    """
    from clisc_engine.project.checkpoints import Checkpoint

    try:
        tensors = Checkpoint(folder, name).tensors()
    except Unreadable:
        raise
    except BadInput as error:
        return str(error)
    broken = [
        key for key, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()
    ]
    return f"{broken[0]} holds NaN or infinite weights" if broken else ""


def state_problem(path: Path) -> str:
    """What is wrong with the state of a training under way; empty when nothing is.

    Raises:
        Unreadable: when it cannot be read now.
    """
    try:
        read_state(path)
    except DamagedState as error:
        return str(error)
    return ""


def _content_problem(data: npt.NDArray[Any], kind: str, shape: Sequence[int]) -> str:
    expected = _declared(kind)
    if expected is None:
        return ""
    axes = len(expected.shape)
    if data.dtype != expected.dtype or data.ndim != axes:
        return f"it is {data.ndim}-D {data.dtype}, not {axes}-D {expected.dtype}"
    if shape and tuple(data.shape) != tuple(shape)[: data.ndim]:
        return f"its shape {data.shape} does not match that of the image, {tuple(shape)}"
    if data.dtype.kind == "f" and not np.isfinite(data).all():
        return "it holds NaN or infinite values"
    if expected.values and (odd := set(np.unique(data).tolist()) - set(expected.values)):
        return f"it holds the value {min(odd)}, which no {kind} has"
    if expected.bounds and data.size:
        low, high = expected.bounds
        least, most = float(data.min()), float(data.max())
        if least < low or most > high:
            return f"it holds the value {least if least < low else most:g}, outside {low:g} to {high:g}"
    return ""


def _declared(kind: str) -> Array | None:
    """What the array is to be like; an array of a name of one's own, like the others of its group."""
    group = kind.partition("/")[0]
    alike = (array for name, array in ARRAYS.items() if name.startswith(f"{group}/"))
    return ARRAYS.get(kind) or (next(alike, None) if "/" in kind else None)


def _innermost(error: BaseException) -> str:
    """The cause in a few words: the advice around it is the caller's to give."""
    cause = error.__cause__
    if cause is None:
        return "it has lost its data"
    text = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
    return text[:200]
