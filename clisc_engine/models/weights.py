"""Weight files: where they are looked for, how they are read, and what to do when one is missing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clisc_engine.errors import BadInput, Unreadable
from clisc_engine.files.digest import sha256_of
from clisc_engine.files.limits import is_want_of_memory
from clisc_engine.files.reading import reading

if TYPE_CHECKING:
    import torch


class MissingWeights(BadInput):
    """A weight file is not on this machine; the message says which, from where, and where to put it."""


@dataclass(frozen=True)
class Known:
    """A published weight file.

    Attributes:
        name: by which `clisc models` calls it.
        files: names it is known by, the usual one first.
        what: in words.
        url: of the usual file.
        page: where its publisher describes it.
        licence: of the weights, as their publisher states it.
        size: of the usual file in bytes.
        sha256: of the usual file, or its first digits where the publisher gives no more.
        older: the same for further files, by name.
    """

    name: str
    files: tuple[str, ...]
    what: str
    url: str
    page: str
    licence: str
    size: int
    sha256: str
    older: tuple[tuple[str, str], ...] = ()

    def digest_of(self, file: str) -> str:
        """The known start of a file's SHA-256, empty when nothing is known."""
        return self.sha256 if file == self.files[0] else dict(self.older).get(file, "")


_SAM = "https://github.com/facebookresearch/segment-anything#model-checkpoints"
_SAM_FILES = "https://dl.fbaipublicfiles.com/segment_anything"
_RESNET = "https://pytorch.org/vision/stable/models.html"
_RESNET_FILES = "https://download.pytorch.org/models"
_CLIP = "https://huggingface.co/timm/vit_base_patch32_clip_224.openai"

# The digits in SAM's file names are of the MD5; those in torchvision's are of the SHA-256.
KNOWN = {
    "ViT-B-32": Known(
        "clip-vit-b-32",
        ("ViT-B-32-openai.safetensors",),
        "CLIP ViT-B/32",
        f"{_CLIP}/resolve/a6f597a30f7b82c51704746581f9a4e41421e878/open_clip_model.safetensors",
        _CLIP,
        "MIT",
        605_143_284,
        "e6d1bd7789aa45192b3bf90570a789b478bae1b74ebcce7eddd908e83a2b7c31",
    ),
    "vit_b": Known(
        "sam-vit-b",
        ("sam_vit_b_01ec64.pth",),
        "SAM ViT-B",
        f"{_SAM_FILES}/sam_vit_b_01ec64.pth",
        _SAM,
        "Apache-2.0",
        375_042_383,
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    ),
    "vit_l": Known(
        "sam-vit-l",
        ("sam_vit_l_0b3195.pth",),
        "SAM ViT-L",
        f"{_SAM_FILES}/sam_vit_l_0b3195.pth",
        _SAM,
        "Apache-2.0",
        1_249_524_607,
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    ),
    "vit_h": Known(
        "sam-vit-h",
        ("sam_vit_h_4b8939.pth",),
        "SAM ViT-H",
        f"{_SAM_FILES}/sam_vit_h_4b8939.pth",
        _SAM,
        "Apache-2.0",
        2_564_550_879,
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    ),
    "resnet50": Known(
        "resnet50",
        ("resnet50-11ad3fa6.pth", "resnet50-0676ba61.pth"),
        "ResNet-50 on ImageNet",
        f"{_RESNET_FILES}/resnet50-11ad3fa6.pth",
        _RESNET,
        "BSD-3-Clause",
        102_540_417,
        "11ad3fa6",
        (("resnet50-0676ba61.pth", "0676ba61"),),
    ),
    "resnet18": Known(
        "resnet18",
        ("resnet18-f37072fd.pth",),
        "ResNet-18 on ImageNet",
        f"{_RESNET_FILES}/resnet18-f37072fd.pth",
        _RESNET,
        "BSD-3-Clause",
        46_830_571,
        "f37072fd",
    ),
}
"""By the value of the setting that asks for it: label.model, sam.model or classifier.backbone."""


def models_folder() -> Path:
    """Where full-size weights are kept: ``$CLISC_MODELS``, else the user's cache folder."""
    if named := os.environ.get("CLISC_MODELS"):
        return Path(named)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache")
    return cache / "clisc" / "models"


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


def find(setting: str, known: str) -> Path:
    """The file a setting names, else a known file in the models folder or torch's own cache.

    Raises:
        MissingWeights: when there is none.
    """
    if setting:
        path = Path(os.path.expanduser(setting))  # noqa: PTH111 - an unknown user's ~ stays as it is
        if not path.is_file():
            raise MissingWeights(f"The weight file {path} does not exist; check the setting.")
        return path
    entry = KNOWN[known]
    if found := present(entry):
        return found
    raise MissingWeights(
        f"{entry.what} ({entry.files[0]}) is not on this machine. Get it with `clisc models pull "
        f"{entry.name}`; or download it from {entry.url} and put it into {models_folder()} (or set "
        "CLISC_MODELS), or use --weights tiny."
    )


def present(entry: Known) -> Path | None:
    """A known file on this machine: in the models folder, or in torch's own cache."""
    for folder in (models_folder(), _torch_cache()):
        for name in entry.files:
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


def _torch_cache() -> Path:
    named = os.environ.get("TORCH_HOME")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache")
    return (Path(named) if named else cache / "torch") / "hub" / "checkpoints"
