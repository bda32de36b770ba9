"""Weight files: where they are looked for, how they are read, and what to do when one is missing."""

from __future__ import annotations

import functools
import hashlib
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clisc_engine.errors import BadInput
from clisc_engine.settings import Settings

if TYPE_CHECKING:
    import torch


class MissingWeights(BadInput):
    """A weight file is not on this machine; the message says which, from where, and where to put it."""


@dataclass(frozen=True)
class Known:
    """A published weight file.

    Attributes:
        files: names it is known by, the usual one first.
        what: in words.
        source: where to get it.
        sha256: start of its SHA-256, empty where the publisher gives none.
    """

    files: tuple[str, ...]
    what: str
    source: str
    sha256: str = ""


_SAM = "https://github.com/facebookresearch/segment-anything#model-checkpoints"
_RESNET = "https://download.pytorch.org/models/"
KNOWN = {
    "vit_b": Known(("sam_vit_b_01ec64.pth",), "SAM ViT-B", _SAM, "01ec64"),
    "vit_l": Known(("sam_vit_l_0b3195.pth",), "SAM ViT-L", _SAM, "0b3195"),
    "vit_h": Known(("sam_vit_h_4b8939.pth",), "SAM ViT-H", _SAM, "4b8939"),
    "resnet50": Known(("resnet50-11ad3fa6.pth", "resnet50-0676ba61.pth"), "ResNet-50 on ImageNet", _RESNET),
    "resnet18": Known(("resnet18-f37072fd.pth",), "ResNet-18 on ImageNet", _RESNET, "f37072fd"),
}


def models_folder() -> Path:
    """Where full-size weights are kept: ``$CLISC_MODELS``, else the user's cache folder."""
    if named := os.environ.get("CLISC_MODELS"):
        return Path(named)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "clisc" / "models"


def bundled(name: str) -> Path:
    """A file of the tiny models that comes with the package."""
    return Path(str(resources.files("clisc_engine") / "weights" / name))


def find(setting: str, known: str) -> Path:
    """The file a setting names, else a known file in the models folder or torch's own cache.

    Raises:
        MissingWeights: when there is none.
    """
    if setting:
        path = Path(setting).expanduser()
        if not path.is_file():
            raise MissingWeights(f"The weight file {path} does not exist; check the setting.")
        return path
    entry = KNOWN[known]
    for folder in (models_folder(), _torch_cache()):
        for name in entry.files:
            if (folder / name).is_file():
                return folder / name
    raise MissingWeights(
        f"{entry.what} ({entry.files[0]}) is not on this machine. Download it from {entry.source} "
        f"and put it into {models_folder()} (or set CLISC_MODELS), or use --weights tiny."
    )


def sam_path(kind: str, checkpoint: str) -> Path:
    """The weight file of a SAM; raises `MissingWeights` when it is not here."""
    return bundled("tiny_sam.safetensors") if kind == "tiny" else find(checkpoint, kind)


def sam_digest(kind: str, checkpoint: str) -> str:
    """SHA-256 of the weight file that `models.sam.load_sam` would load."""
    return sha256_of(sam_path(kind, checkpoint))


def paper_files_present(settings: Settings) -> bool:
    """Whether every weight file of the settings is on this machine."""
    from clisc_engine.models.clip_file import find_clip

    try:
        find_clip(settings.label.model, settings.label.pretrained)
        if settings.sam.model != "tiny":
            find(settings.sam.checkpoint, settings.sam.model)
        if settings.classifier.pretrained == "imagenet" and settings.classifier.backbone != "clip":
            find("", settings.classifier.backbone)
    except MissingWeights:
        return False
    return True


def load_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors or PyTorch file; never executes what a file holds.

    Raises:
        BadInput: when the file is damaged, or holds anything but tensors and plain containers.
    """
    import safetensors.torch
    import torch

    try:
        if path.suffix == ".safetensors":
            return dict(safetensors.torch.load_file(str(path)))
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
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


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, computed once as long as its size and time stay the same."""
    status = path.stat()
    return _sha256(str(path), status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=32)
def _sha256(path: str, _size: int, _time: int) -> str:
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _torch_cache() -> Path:
    home = os.environ.get("TORCH_HOME")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (Path(home) if home else cache / "torch") / "hub" / "checkpoints"
