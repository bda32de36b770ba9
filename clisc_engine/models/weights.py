"""Weight files: where they are looked for, how they are read, and what to do when one is missing."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clisc_engine.errors import BadInput, Unreadable
from clisc_engine.files.digest import sha256_of
from clisc_engine.files.limits import is_want_of_memory
from clisc_engine.files.reading import reading
from clisc_engine.models.held import Shapes, difference, other_model
from clisc_engine.models.known import KNOWN, Known

if TYPE_CHECKING:
    import torch
    from torch import nn


class MissingWeights(BadInput):
    """A weight file is not on this machine; the message says which, from where, and where to put it."""


def models_folder() -> Path:
    """Where full-size weights are kept: ``$CLISC_MODELS``, else the user's cache folder."""
    if named := os.environ.get("CLISC_MODELS"):
        return Path(named)
    return _cache() / "clisc" / "models"


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache")


def home() -> Path:
    """The user's folder; a user of a container may have none, then one that is not there."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/nonexistent")


TINY_UNET = "tiny_unet.safetensors"
"""The bundled 3-D U-Net."""


def bundled(name: str) -> Path:
    """A file of the tiny models that comes with the package."""
    return Path(str(resources.files("clisc_engine") / "weights" / name))


def own_file(setting: str) -> Path:
    """The path of a file or a folder that a setting names."""
    return Path(os.path.expanduser(setting))  # noqa: PTH111 - an unknown user's ~ stays as it is


def own_file_digest(setting: str) -> str:
    """SHA-256 of a file that a setting names; empty when it is not there."""
    path = own_file(setting)
    return sha256_of(path) if path.is_file() else ""


def find(setting: str, known: str) -> Path:
    """The file a setting names, else a known file in the models folder or torch's own cache.

    Raises:
        MissingWeights: when there is none.
    """
    if setting:
        path = own_file(setting)
        if not path.is_file():
            raise MissingWeights(f"The weight file {path} does not exist; check the setting.")
        return path
    entry = KNOWN[known]
    if found := present(entry):
        return found
    raise MissingWeights(
        f"{entry.what} ({entry.files[0]}) is not on this machine. Get it with `clisc models pull "
        f"{entry.name}`; or download it from {entry.url} and put it into {models_folder()} (or set "
        "CLISC_MODELS). A project of `clisc init --weights tiny` needs none."
    )


def present(entry: Known) -> Path | None:
    """A known file on this machine: in the models folder, or in torch's own cache.

    One that others belong to is there when they all are.
    """
    first, *others = (_found(part) for part in entry.parts())
    return first if None not in others else None


def _found(part: Known) -> Path | None:
    for folder in (models_folder() / part.folder, _torch_cache()):
        for name in part.files:
            if (folder / name).is_file():
                return folder / name
    return None


def sam_path(kind: str, checkpoint: str) -> Path:
    """The weight file of a SAM; raises `MissingWeights` when it is not here."""
    return bundled("tiny_sam.safetensors") if kind == "tiny" else find(checkpoint, kind)


def sam_digest(kind: str, checkpoint: str) -> str:
    """SHA-256 of the weight file that `models.sam.load_sam` would load."""
    return sha256_of(sam_path(kind, checkpoint))


def bundled_unet_digest() -> str:
    """SHA-256 of the bundled U-Net's file."""
    return sha256_of(bundled(TINY_UNET))


def check_whole(path: Path) -> None:
    """Refuse a weight file that was cut, or is none at all, by its ends alone; nothing is unpacked.

    Raises:
        Unreadable: when it cannot be read now.
        BadInput: when it is damaged.
    """
    with reading(path), path.open("rb") as file:
        begins = file.read(2)
        if path.suffix == ".safetensors":
            whole = _is_whole_safetensors(path)
        elif begins == b"PK":  # PyTorch's archives, whose table of contents stands at the end
            whole = zipfile.is_zipfile(file)
        else:  # pickles, as PyTorch wrote before 1.6
            whole = begins[:1] == b"\x80"
    if not whole:
        raise BadInput(
            f"{path} is not a readable weight file; it may be damaged, or its download broke off. Download "
            "it again."
        )


def _is_whole_safetensors(path: Path) -> bool:
    """Whether the file has all bytes that its header tells of."""
    import safetensors

    try:
        with safetensors.safe_open(str(path), framework="numpy"):
            return True
    except safetensors.SafetensorError:
        return False


def load_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors or PyTorch file; never executes what a file holds.

    Raises:
        Unreadable: when it cannot be read now.
        BadInput: when the file is damaged, or holds anything but tensors and plain containers.
    """
    import safetensors.torch
    import torch

    with reading(path), path.open("rb") as file:  # what follows calls whatever cannot be opened damaged
        file.read(1)
    try:
        if path.suffix == ".safetensors":
            return dict(safetensors.torch.load_file(str(path)))
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, MemoryError) as error:
        raise Unreadable(path, error) from error
    except Exception as error:
        if is_want_of_memory(error):
            raise Unreadable(path, MemoryError(str(error))) from error
        raise BadInput(
            f"{path} is not a readable weight file ({type(error).__name__}); it may be damaged, or "
            "hold code, which clisc does not run. Download it again."
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise BadInput(f"{path} does not hold a state dict of tensors.")
    return state


def take_state(network: nn.Module, path: Path, what: str) -> None:
    """Give a network the weights of a file, which are to be all of its own and no others.

    Raises:
        Unreadable: when it cannot be read now.
        BadInput: when the file is damaged or holds another model; ``what`` names the one it should hold.
    """
    state = load_state(path)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        wanted, found = _shapes(network.state_dict()), _shapes(state)
        raise other_model(path, what, difference(wanted, found)) from error


def _shapes(state: Mapping[str, torch.Tensor]) -> Shapes:
    return {name: tuple(weight.shape) for name, weight in state.items()}


def _torch_cache() -> Path:
    return Path(os.environ.get("TORCH_HOME") or _cache() / "torch") / "hub" / "checkpoints"
