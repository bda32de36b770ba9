"""MONAI's U-Net: a loop that reads two files at each step, MONAI's transforms, MONAI's sliding window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai import transforms
from monai.inferers import sliding_window_inference
from monai.networks.nets import UNet
from torch import nn

from benchmarks.plain.study import Array, Study
from benchmarks.volumes import SPACING
from clisc_engine.core.border import tumour_mask
from clisc_engine.core.levels import level_strides
from clisc_engine.models.bundled_unet import load_bundled_unet
from clisc_engine.models.losses import segmentation_loss
from clisc_engine.models.unet import at_spacing, resized
from clisc_engine.settings.presets import preset
from clisc_engine.settings.schema import UnetSettings

KEYS = ("image", "label")


def train(
    study: Study, network: str, labels: str, names: Sequence[str], settings: UnetSettings, start: str = ""
) -> None:
    """Train on the volumes of some cases, from the weights of ``start`` if it is given."""
    seed = study.settings.seed
    module = _new_network(study, settings, start).train()
    optimiser = _optimiser(module, settings)
    patches, criterion = monais_patches(settings), segmentation_loss(settings.loss)
    for epoch in range(settings.epochs):
        torch.manual_seed(seed * 1_000_003 + epoch)
        optimiser.param_groups[0]["lr"] = (
            settings.learning_rate * (1 - epoch / settings.epochs) ** settings.poly_power
        )
        patches.set_random_state(seed=(seed * 1_000_003 + epoch) % 2**31)
        waiting: list[dict[str, Any]] = []
        for name in _order(names, settings, np.random.default_rng([seed, epoch])):
            waiting += patches(_volume(study, name, labels, settings))
            while len(waiting) >= settings.batch_size:
                batch, waiting = waiting[: settings.batch_size], waiting[settings.batch_size :]
                images, targets = (torch.stack([torch.as_tensor(p[k]) for p in batch]) for k in KEYS)
                loss = criterion(module(images.float()), targets.float())
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                loss.item()
    torch.save(module.state_dict(), study.root / f"{network}.pt")


def _volume(study: Study, name: str, labels: str, settings: UnetSettings) -> dict[str, torch.Tensor]:
    image, label = (
        at_spacing(study.read(name, what), SPACING, settings.spacing) for what in ("image", labels)
    )
    return {"image": torch.from_numpy(image[None]), "label": torch.from_numpy(label[None] > 0.5).byte()}


def _order(names: Sequence[str], settings: UnetSettings, rng: np.random.Generator) -> list[str]:
    """The cases of an epoch: each once, or by turns until there are enough patches."""
    visits = -(-settings.patches_per_epoch // settings.patches_per_volume) or len(names)
    rounds = -(-visits // len(names))
    order = np.concatenate([rng.permutation(len(names)) for _ in range(rounds)])[:visits]
    return [names[index] for index in order]


def monais_unet(channels: Sequence[int], spacing: Sequence[float] = ()) -> nn.Module:
    """The network that `clisc_engine.models.unet.build_unet` builds without MONAI, to the bit."""
    strides = level_strides(len(channels) - 1, spacing)
    return UNet(3, 1, 2, channels=tuple(channels), strides=strides, num_res_units=2)  # type: ignore[arg-type]


def _bundled_unet() -> nn.Module:
    own = preset("tiny").unet
    module = monais_unet(own.channels, own.spacing).eval()
    module.load_state_dict(load_bundled_unet().state_dict())
    return module


def _new_network(study: Study, settings: UnetSettings, start: str) -> nn.Module:
    torch.manual_seed(study.settings.seed)
    if not start and settings.start == "bundled":
        return _bundled_unet()
    module = monais_unet(settings.channels, settings.spacing)
    if start:
        module.load_state_dict(torch.load(study.root / f"{start}.pt", weights_only=True))
    return module


def _optimiser(module: nn.Module, settings: UnetSettings) -> torch.optim.Optimizer:
    if settings.optimiser == "adamw":
        return torch.optim.AdamW(
            module.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
    return torch.optim.SGD(
        module.parameters(), settings.learning_rate, settings.momentum, weight_decay=settings.weight_decay
    )


def monais_patches(settings: UnetSettings) -> transforms.Compose:
    """The augmentation of the settings by MONAI's transforms, which draw as ours do."""
    turn, paper = ((0.26, 0.1, 0.1), 0.15), settings.augment == "paper"
    if paper:
        turn = ((0.26, 0.0, 0.0), 0.0)
    rotation = transforms.RandAffined(
        KEYS,
        prob=0.3 if paper else 0.7,
        rotate_range=turn[0],
        scale_range=(turn[1],) * 3,
        mode=("bilinear", "nearest"),
        padding_mode="zeros",
    )
    changes = [
        *(transforms.RandFlipd(KEYS, prob=0.5, spatial_axis=axis) for axis in range(3)),
        transforms.RandScaleIntensityd("image", factors=0.2, prob=0.5),
    ]
    if not paper:
        changes = [
            transforms.RandFlipd(KEYS, prob=0.5, spatial_axis=2),
            transforms.ShiftIntensityd("image", offset=3.0),
            transforms.RandBiasFieldd("image", degree=3, coeff_range=(-0.15, 0.15), prob=0.7),
            transforms.ShiftIntensityd("image", offset=-3.0),
            transforms.RandScaleIntensityd("image", factors=0.35, prob=0.5),
            transforms.RandShiftIntensityd("image", offsets=0.4, prob=0.5),
        ]
    crop = transforms.RandCropByPosNegLabeld(
        KEYS,
        "label",
        settings.patch,
        num_samples=settings.patches_per_volume,
        image_key="image",
        image_threshold=-1e9,
        allow_smaller=True,
    )
    padded = transforms.SpatialPadd(KEYS, settings.patch)
    return transforms.Compose(
        [padded, crop, rotation, *changes, transforms.ToTensord(KEYS, track_meta=False)]
    )


def predict(study: Study, network: str, array: str, names: Sequence[str]) -> None:
    """The masks of a trained network."""
    settings = study.settings.unet
    module = monais_unet(settings.channels, settings.spacing)
    module.load_state_dict(torch.load(study.root / f"{network}.pt", weights_only=True))
    for name in names:
        image = study.read(name, "image")
        found = probability(module.eval(), image, settings)
        study.write(
            name,
            array,
            tumour_mask(
                found,
                image,
                SPACING,
                border=settings.border,
                largest_alone=settings.largest_component,
                rival_share=settings.rival_share,
            ),
        )


def bundled_probability(image: Array) -> npt.NDArray[np.float32]:
    """What the bundled network takes for tumour, (Z, Y, X)."""
    return probability(_bundled_unet(), image, preset("tiny").unet)


@torch.inference_mode()
def probability(module: nn.Module, image: Array, settings: UnetSettings) -> npt.NDArray[np.float32]:
    """Tumour probability (Z, Y, X), window after window."""
    seen = torch.from_numpy(at_spacing(image, SPACING, settings.spacing))[None, None]

    def tumour(window: torch.Tensor) -> torch.Tensor:
        return module(window).softmax(dim=1)[:, 1:]

    found = sliding_window_inference(
        seen, settings.patch, 1, tumour, overlap=settings.overlap, mode="gaussian"
    )
    return resized(found[0, 0].numpy(), image.shape)
