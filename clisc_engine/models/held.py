"""Which model a weight file is of, told from its weights' names and shapes; no weight is read, nor torch.

A network tells the same when its weights are loaded (`weights.take_state`), but that may be hours later.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from clisc_engine.errors import BadInput
from clisc_engine.files.reading import reading
from clisc_engine.settings.medical import MEDSAM

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
"""The shape of each weight by its name."""

_SAM = {"mask_decoder.iou_token.weight": (1, 256), "prompt_encoder.no_mask_embed.weight": (1, 256)}
_VIT_B = {"image_encoder.pos_embed": (1, 64, 64, 768), **_SAM}
TELLING: Mapping[str, Shapes] = {
    "vit_b": _VIT_B,
    MEDSAM: _VIT_B,
    "vit_l": {"image_encoder.pos_embed": (1, 64, 64, 1024), **_SAM},
    "vit_h": {"image_encoder.pos_embed": (1, 64, 64, 1280), **_SAM},
    "resnet18": {"fc.weight": (1000, 512), "layer4.1.conv2.weight": (512, 512, 3, 3)},
    "resnet50": {
        "fc.weight": (1000, 2048),
        "layer1.0.conv2.weight": (64, 64, 3, 3),
        "layer3.5.conv3.weight": (1024, 256, 1, 1),
    },
}
"""Weights by which a file of each model is told from those of others, by the setting that asks for it."""
_DEEPER = {"resnet18": "layer1.2.conv1.weight", "resnet50": "layer3.6.conv1.weight"}
"""A weight that only deeper networks of the kind have."""
_MAGIC = 0x1950A86A20F9469CFC6C
"""What PyTorch wrote first until 1.6."""
_UNTOLD = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    AttributeError,
    ImportError,
    OverflowError,
    RecursionError,
)
"""What reading a file that is no state dict, or damaged, ends in."""


def check_model(path: Path, kind: str) -> None:
    """Refuse a whole weight file that is of another model; one that does not tell passes.

    Args:
        path: of the file.
        kind: of `TELLING`.

    Raises:
        Unreadable: when it cannot be read now.
        BadInput: when it is another model's.
    """
    found = shapes_of(path)
    if found is None:
        return
    telling = {name: found[name] for name in (*TELLING[kind], _DEEPER.get(kind, "")) if name in found}
    if why := difference(TELLING[kind], telling):
        raise other_model(path, f"a {kind}" if kind.startswith("resnet") else f"a SAM {kind}", why)


def other_model(path: Path, what: str, why: str) -> BadInput:
    """The error for a file of another model; ``what`` names the one it should hold."""
    return BadInput(f"{path} does not hold {what}: {why}.")


def difference(wanted: Shapes, found: Shapes) -> str:
    """The first weight by which a file's differ from those wanted; empty when none does."""
    for name, shape in wanted.items():
        if name not in found:
            return f"it lacks {name}"
        if found[name] != shape:
            return f"its {name} is {[*found[name]]}, not {[*shape]}"
    further = next((name for name in found if name not in wanted), "")
    return f"it also has {further}" if further else ""


def shapes_of(path: Path) -> Shapes | None:
    """The shapes of a safetensors or PyTorch file's weights; None where they cannot be told.

    Raises:
        Unreadable: when it cannot be read now.
    """
    with reading(path), path.open("rb") as file:
        file.read(1)
    if path.suffix == ".safetensors":
        return _of_safetensors(path)
    try:
        with reading(path), path.open("rb") as file:
            state = _pickled(file)
    except _UNTOLD:
        return None
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(one, _Shape) for one in state.values()):
        return None
    return {name: one.sides for name, one in state.items()}


def _of_safetensors(path: Path) -> Shapes | None:
    import safetensors

    try:
        with safetensors.safe_open(str(path), framework="numpy") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError:
        return None


def _pickled(file: BinaryIO) -> Any:
    """What PyTorch saved, with shapes in the place of tensors."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            name = next((name for name in archive.namelist() if name.endswith("data.pkl")), "")
            return _Shapes(io.BytesIO(archive.read(name))).load()
    file.seek(0)
    if _Shapes(file).load() != _MAGIC:
        return None
    for _ in ("version", "machine"):
        _Shapes(file).load()
    return _Shapes(file).load()


class _Shape:
    """That of one tensor."""

    def __init__(self, sides: Any) -> None:
        """Sides as they were saved."""
        self.sides: tuple[int, ...] = tuple(int(side) for side in sides)


def _tensor(_storage: Any, _offset: Any, sides: Any, *_further: Any) -> _Shape:
    return _Shape(sides)


def _parameter(tensor: Any, *_further: Any) -> Any:
    return tensor


class _Shapes(pickle.Unpickler):
    """Reads a state dict, and calls nothing that a file names but what is here."""

    _KNOWN: Mapping[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        ("torch._utils", "_rebuild_parameter"): _parameter,
    }

    def find_class(self, module: str, name: str) -> Any:
        """One of those; a kind of storage is named in every tensor, and never called."""
        if (module, name) in self._KNOWN:
            return self._KNOWN[module, name]
        if module == "torch" and name.endswith("Storage"):
            return None
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> None:
        """A tensor's values, which are not read."""
