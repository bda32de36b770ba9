"""Each model does one slice of a made-up brain; anything that comes out wrong raises."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from clisc_engine.core.prompts import roi_prompts
from clisc_engine.imaging.window import square
from clisc_engine.models.classifier import build_classifier
from clisc_engine.models.clip import load_clip
from clisc_engine.models.sam import load_sam
from clisc_engine.models.unet import build_unet, predict_volume
from clisc_engine.running.device import pick_device
from clisc_engine.settings.label import NORMAL_PROMPT, TUMOUR_PROMPT

SIZE = 128


def clip(model: str, pretrained: str, device: str) -> None:
    """CLIP tells a probability."""
    loaded = load_clip(model, pretrained, pick_device(device))
    text = loaded.text_features({"normal": [NORMAL_PROMPT], "tumour": [TUMOUR_PROMPT]})
    (probability,) = loaded.probabilities(brain()[0][None], text)
    _expect(0 <= float(probability) <= 1, f"CLIP's probability is {probability}")


def sam(kind: str, device: str) -> None:
    """SAM answers a box around a bright disc."""
    loaded = load_sam(kind, "", pick_device(device))
    slice_, disc = brain()
    with torch.inference_mode():
        (mask,) = loaded.decode(
            loaded.encode(slice_[None]), roi_prompts(disc, slice_, dilation=3), slice_.shape
        )
    _expect(bool((mask & disc).any()), "SAM's mask misses the disc it was pointed at")


def classifier(backbone: Literal["resnet50", "resnet18"], device: str) -> None:
    """A classifier gives finite logits."""
    place = pick_device(device)
    module = build_classifier(
        backbone, pretrained="imagenet", clip=None, head="mlp", dropout=0.5, image_size=224
    ).to(place)
    module.eval()
    slices = torch.from_numpy(square(brain()[0][None], 224)).to(place)
    with torch.inference_mode():
        logits = module(module.prepare(slices))
    _expect(bool(torch.isfinite(logits).all()), "the classifier's logits are not finite")


def unet(device: str) -> None:
    """An untrained U-Net gives probabilities."""
    place = pick_device(device)
    module = build_unet([16, 32, 64, 128, 256]).eval().to(place)
    found = predict_volume(
        module,
        np.ones((32, 64, 64), np.float32),
        (32, 64, 64),
        mode="sliding",
        overlap=0.5,
        batch_size=1,
        device=place,
        precision="32",
    )
    _expect(bool(((found >= 0) & (found <= 1)).all()), "the U-Net's probabilities leave 0 to 1")


def brain() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """A (Y, X) uint8 slice of a grey ellipse with a bright disc, and the disc."""
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    inside = (y / 55) ** 2 + (x / 45) ** 2 < 1
    disc = (y + 12) ** 2 + (x - 14) ** 2 < 15**2
    return np.where(disc, 230, np.where(inside, 90, 0)).astype(np.uint8), disc


def _expect(good: bool, otherwise: str) -> None:
    if not good:
        raise RuntimeError(otherwise)
