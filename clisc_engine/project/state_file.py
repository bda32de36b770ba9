"""The file of a training under way, read back with every doubt: whole, damaged, or not to be read now."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from clisc_engine.errors import Unreadable
from clisc_engine.files.limits import is_want_of_memory
from clisc_engine.files.reading import reading

_STATE = {
    "fingerprint": str,
    "epoch": int,
    "within": dict,
    "history": list,
    "best": dict,
    "best_score": float,
    "module": dict,
    "optimiser": dict,
}
_WITHIN = {"step", "total", "seconds", "generator", "cuda"}
_SCALER = "scaler"
"""Of float16: part of every state; of those that clisc 0.1.0 wrote, only of one within an epoch."""


class DamagedState(Exception):
    """A file is no whole state of a training; the message says why."""


def read_state(path: Path) -> dict[str, Any]:
    """What a file with a training's state holds.

    PyTorch reads its archives without looking at their checksums; here they are looked at.

    Raises:
        Unreadable: when it cannot be read now.
        DamagedState: when its content is not whole.
    """
    import torch

    with reading(path):
        data = io.BytesIO(path.read_bytes())
        try:
            with zipfile.ZipFile(data) as archive:
                if (entry := archive.testzip()) is not None:
                    raise DamagedState(f"the checksum of {entry} in it is wrong")
            data.seek(0)
            state = torch.load(data, map_location="cpu", weights_only=True)
        except (DamagedState, MemoryError):
            raise
        except Exception as error:
            if is_want_of_memory(error):
                raise Unreadable(path, MemoryError(str(error))) from error
            raise DamagedState(f"it cannot be read as a state ({type(error).__name__})") from error
    if not isinstance(state, dict) or "fingerprint" not in state:
        raise DamagedState("it holds no training's state")
    return state


def check_state(state: dict[str, Any]) -> None:
    """Refuse what was not written by `save_state`.

    Raises:
        DamagedState: for a missing or strange part.
    """
    for key, kind in _STATE.items():
        if not isinstance(state.get(key), kind):
            raise DamagedState(f"it has no {key}")
    if state["within"] and state["within"].keys() - {_SCALER} != _WITHIN:
        raise DamagedState("it has no position within the epoch")
    if not isinstance(state.setdefault(_SCALER, state["within"].pop(_SCALER, {})), dict):
        raise DamagedState("it has no scaler")
