"""Train the tiny CLIP: images against captions of both classes, on phantom slices."""

import argparse
from operator import attrgetter
from typing import Any

import torch
from open_clip import get_tokenizer
from torch import Tensor, nn
from torch.nn.functional import (
    adaptive_avg_pool2d,
    binary_cross_entropy_with_logits,
    cross_entropy,
    normalize,
)

from clisc_engine.models.packages import CLIP
from clisc_engine.models.tiny import build_clip, read_config
from clisc_engine.tiny.augment import Strength, moved, recoloured, with_cutouts
from clisc_engine.tiny.bank import Slices
from clisc_engine.tiny.captions import NORMAL, TUMOUR
from clisc_engine.tiny.teaching import Subject, options_of, teach

PAIRS = 4  # caption pairs a step; the first is always the paper's


class Towers(nn.Module):
    """The CLIP and, for training only, two heads that say where in the slice tumour is."""

    def __init__(self, clip: CLIP, config: dict[str, Any]) -> None:
        super().__init__()
        self.clip = clip
        width = config["vision_cfg"]["width"]
        self.where2 = nn.Conv2d(width * 8, 1, 1)
        self.where3 = nn.Conv2d(width * 16, 1, 1)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Image features (N, D), unit length, and tumour logits at layers 2 and 3."""
        tower = self.clip.visual
        layer2 = tower.layer2(tower.layer1(tower.stem(pixels)))
        layer3 = tower.layer3(layer2)
        features = tower.attnpool(tower.layer4(layer3))
        return normalize(features, dim=-1), self.where2(layer2), self.where3(layer3)


def as_pixels(images: Tensor, config: dict[str, Any]) -> Tensor:
    """(N, 1, S, S) greys 0..255 to the model's normalised RGB."""
    mean, std = (torch.tensor(config["preprocess"][k]).view(1, 3, 1, 1) for k in ("mean", "std"))
    pixels = (images.expand(-1, 3, -1, -1) / 255.0 - mean) / std
    return pixels.contiguous(memory_format=torch.channels_last)


def pair_logits(clip: CLIP, features: Tensor, normal: Tensor, tumour: Tensor) -> Tensor:
    """Eq. (1) of the paper for P caption pairs: scaled cosines (N, P, 2)."""
    texts = normalize(clip.encode_text(torch.cat([normal, tumour])).float(), dim=-1)
    cosine = features.float() @ texts.T
    pairs = torch.stack(cosine.chunk(2, dim=1), dim=-1)
    return pairs * clip.logit_scale.exp().clamp(max=30.0)


def where_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Cross entropy against the share of tumour in each cell."""
    share = adaptive_avg_pool2d(masks, (logits.shape[-2], logits.shape[-1]))
    return binary_cross_entropy_with_logits(logits.float(), share.sqrt())


def batch_of(bank: Slices, chosen: Tensor, size: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Augmented images and masks (N, 1, size, size) of the slices with the indices ``chosen`` (N,)."""
    index = chosen.numpy()
    images = torch.from_numpy(bank.images[index]).float()[:, None]
    masks = torch.from_numpy(bank.masks[index]).float()[:, None]
    strength = Strength()
    images, masks = moved(images, masks, size, strength, rng)
    return with_cutouts(recoloured(images, strength, rng), strength, rng), masks


def train(options: argparse.Namespace) -> None:
    """Run the training; exports the averaged weights every ``--every`` steps."""
    torch.manual_seed(options.seed)
    rng = torch.Generator().manual_seed(options.seed)
    config = read_config("tiny_clip")
    model = Towers(build_clip(config), config).to(memory_format=torch.channels_last)
    with torch.no_grad():
        model.clip.logit_scale.fill_(2.3)
    tokens = get_tokenizer("RN50")
    normal, tumour = tokens(list(NORMAL)), tokens(list(TUMOUR))
    half = options.batch // 2
    target = torch.cat([torch.ones(half), torch.zeros(half)]).long()

    def lesson(bank: Slices, chosen: Tensor) -> tuple[Tensor, Tensor]:
        images, masks = batch_of(bank, chosen, config["vision_cfg"]["image_size"], rng)
        first = torch.zeros(1, dtype=torch.long)
        some = [
            torch.cat([first, torch.randint(len(t), (PAIRS - 1,), generator=rng)]) for t in (normal, tumour)
        ]
        features, where2, where3 = model(as_pixels(images, config))
        logits = pair_logits(model.clip, features, normal[some[0]], tumour[some[1]])
        labels = target.repeat_interleave(PAIRS)
        loss = cross_entropy(logits.flatten(0, 1), labels, label_smoothing=0.04)
        loss = loss + where_loss(where2, masks) + where_loss(where3, masks)
        return loss, (logits[:, 0].argmax(-1) == target).float().mean()

    subject = Subject("tiny_clip", attrgetter("clip"), 0.03, ill=half, well=half, figure="accuracy")
    teach(subject, model, lesson, rng, options)


def main(arguments: list[str]) -> None:
    """Parse the options and train."""
    train(options_of("clip", batch=64, rate=2e-3).parse_args(arguments))
