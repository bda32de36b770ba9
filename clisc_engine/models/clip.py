"""CLIP through open_clip: the probability that a slice shows a tumour (paper eq. (1))."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from clisc_engine.errors import BadInput, Unreadable
from clisc_engine.files.digest import sha256_of
from clisc_engine.files.limits import is_want_of_memory
from clisc_engine.imaging.window import square
from clisc_engine.models.clip_file import find_clip, is_file, unknown_model
from clisc_engine.models.clip_folder import ClipFolder, find_folder, is_in_folder
from clisc_engine.models.packages import (
    CLIP,
    CustomTextCLIP,
    HFTokenizer,
    SimpleTokenizer,
    with_timm,
    with_transformers,
)
from clisc_engine.models.tiny import build_clip, read_config
from clisc_engine.models.weights import bundled, load_state
from clisc_engine.running.device import autocast

CLASSES = ("normal", "tumour")


@dataclass(frozen=True)
class ClipModel:
    """A CLIP ready to compare slices with prompts.

    Attributes:
        network: open_clip's model in evaluation mode.
        tokenizer: open_clip's tokenizer of that model.
        image_size: side of its square input in pixels.
        mean: per-channel mean of its input, on the scale 0 to 1.
        std: per-channel standard deviation.
        digest: SHA-256 of the weight file.
        device: where it runs.
    """

    network: CLIP
    tokenizer: Callable[[list[str]], Tensor]
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    digest: str
    device: torch.device

    @torch.inference_mode()
    def text_features(self, prompts: Mapping[str, Sequence[str]]) -> Tensor:
        """Unit text features (2, D) of the classes normal and tumour.

        Several phrasings of a class are ensembled: the mean of their unit features, made unit again.
        """
        features = []
        for name in CLASSES:
            tokens = self.tokenizer(list(prompts[name])).to(self.device)
            each = functional.normalize(self.network.encode_text(tokens).float(), dim=-1)
            features.append(functional.normalize(each.mean(dim=0), dim=-1))
        return torch.stack(features)

    @torch.inference_mode()
    def probabilities(self, slices: npt.NDArray[np.uint8], text: Tensor) -> npt.NDArray[np.float32]:
        """Tumour probability (N,) of (N, Y, X) uint8 slices.

        ``softmax(s * cosine(image, text))`` over the two classes, s being CLIP's learned scale.
        """
        image = self.network.logit_scale.exp().float() * self._image_features(slices)
        return self._with_text(image, text).softmax(dim=-1)[:, 1].cpu().numpy()

    @torch.inference_mode()
    def cosines(self, slices: npt.NDArray[np.uint8], text: Tensor) -> npt.NDArray[np.float32]:
        """Cosines (N, 2) of (N, Y, X) uint8 slices with the classes' text features."""
        return self._with_text(self._image_features(slices), text).cpu().numpy()

    def _image_features(self, slices: npt.NDArray[np.uint8]) -> Tensor:
        """Unit features (N, D)."""
        pixels = self.prepare(torch.from_numpy(square(slices, self.image_size)).to(self.device))
        return functional.normalize(self.network.encode_image(pixels).float(), dim=-1)

    def _with_text(self, image: Tensor, text: Tensor) -> Tensor:
        """Products (N, 2) of image features (N, D) with the classes' text features, in float32 always.

        Half of the digits would leave steps of an eighth between logits, which are about 25 in size.
        """
        with autocast(self.device, "32"):
            return image @ text.to(image).T

    def prepare(self, squared: Tensor) -> Tensor:
        """(N, S, S) uint8 slices as CLIP's (N, 3, S, S) input."""
        grey = squared[:, None].expand(-1, 3, -1, -1).float() / 255
        mean = torch.tensor(self.mean, device=grey.device)[:, None, None]
        std = torch.tensor(self.std, device=grey.device)[:, None, None]
        return (grey - mean) / std


def load_clip(model: str, pretrained: str, device: torch.device) -> ClipModel:
    """Load ``tiny``, a CLIP in a folder, or an open_clip model from a local file or open_clip's own cache.

    Nothing is downloaded.

    Raises:
        MissingWeights: when the weights are not on this machine.
        BadInput: when open_clip knows no such model or the file does not fit it, or a package is lacking.
    """
    if model == "tiny":
        return _load_tiny(device)
    if is_in_folder(model):
        return _load_folder(find_folder(model), device)
    return _load_open_clip(model, pretrained, device)


def _is_state(path: Path) -> bool:
    """Whether a file's weights are read safely, whatever they are of."""
    try:
        load_state(path)
    except BadInput:
        return False
    return True


def _load_open_clip(model: str, pretrained: str, device: torch.device) -> ClipModel:
    import open_clip

    if model not in open_clip.list_models():  # other names may be ones to download
        raise unknown_model(model)
    path = find_clip(model, pretrained)
    if "timm_model_name" in (open_clip.get_model_config(model) or {}).get("vision_cfg", {}):
        with_timm()
    known = {} if is_file(pretrained) else open_clip.get_pretrained_cfg(model, pretrained)
    try:
        network = open_clip.create_model(
            model,
            pretrained=str(path),
            force_quick_gelu=bool(known.get("quick_gelu")),
            weights_only=True,
        )
    except Exception as error:
        if isinstance(error, OSError) or is_want_of_memory(error):
            raise Unreadable(path, error if isinstance(error, OSError) else MemoryError()) from error
        if _is_state(path):
            raise BadInput(f"{path} does not hold a {model}: its weights are another model's.") from error
        raise BadInput(
            f"{path} does not hold weights of {model} that can be read safely "
            f"({type(error).__name__}); take a safetensors file or a plain state dict, since "
            "TorchScript archives may run code."
        ) from error
    return ClipModel(
        network.eval().to(device),
        open_clip.get_tokenizer(model),
        _image_size(network),
        tuple(known.get("mean") or open_clip.OPENAI_DATASET_MEAN),
        tuple(known.get("std") or open_clip.OPENAI_DATASET_STD),
        sha256_of(path),
        device,
    )


def _load_folder(folder: ClipFolder, device: torch.device) -> ClipModel:
    """By its own description: open_clip's registry is not asked, and no code that a file brings is run."""
    from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD

    if "timm_model_name" in folder.model["vision_cfg"]:
        with_timm()
    if folder.tower or folder.tokenizer:
        with_transformers()
    state = load_state(folder.weights)
    try:
        network = _described(folder)
        # A buffer that transformers kept in its weights until 4.31, and makes itself since.
        for name in {"text.transformer.embeddings.position_ids"} - network.state_dict().keys():
            state.pop(name, None)
        network.load_state_dict(state)
        tokenizer = _tokenizer(folder)
    except Exception as error:
        if is_want_of_memory(error):
            raise Unreadable(folder.weights, MemoryError()) from error
        reason = str(error).splitlines()[0] if str(error) else ""
        raise BadInput(
            f"{folder.weights.parent} does not hold a CLIP that can be built from its description "
            f"({type(error).__name__}: {reason})."
        ) from error
    return ClipModel(
        network.float().eval().to(device),
        tokenizer,
        _image_size(network),
        tuple(folder.preprocess.get("mean") or OPENAI_DATASET_MEAN),
        tuple(folder.preprocess.get("std") or OPENAI_DATASET_STD),
        sha256_of(folder.weights),
        device,
    )


def _described(folder: ClipFolder) -> CLIP:
    """The network that a folder describes, with random weights."""
    towers = dict(folder.model)
    vision = {**towers.pop("vision_cfg"), "timm_model_pretrained": False}
    text = {**towers.pop("text_cfg"), "hf_model_pretrained": False}
    if folder.tower:
        text["hf_model_name"] = str(folder.tower)
    own_text = towers.pop("custom_text", False) or folder.tower
    return (CustomTextCLIP if own_text else CLIP)(vision_cfg=vision, text_cfg=text, **towers)


def _tokenizer(folder: ClipFolder) -> Callable[[list[str]], Tensor]:
    text = folder.model["text_cfg"]
    kinds = {"context_length": text.get("context_length", 77), **text.get("tokenizer_kwargs", {})}
    return HFTokenizer(str(folder.tokenizer), **kinds) if folder.tokenizer else SimpleTokenizer(**kinds)


def _image_size(network: CLIP) -> int:
    size = network.visual.image_size
    return int(size[0] if isinstance(size, tuple) else size)


def _load_tiny(device: torch.device) -> ClipModel:
    config = read_config("tiny_clip")
    path = bundled("tiny_clip.safetensors")
    network = build_clip(config)
    network.load_state_dict(load_state(path))
    return ClipModel(
        network.eval().to(device),
        SimpleTokenizer(context_length=config["text_cfg"]["context_length"]),
        config["vision_cfg"]["image_size"],
        tuple(config["preprocess"]["mean"]),
        tuple(config["preprocess"]["std"]),
        sha256_of(path),
        device,
    )
