"""Train the tiny SAM: whole tumours from rough boxes and points, on phantom slices."""

import argparse

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate, mse_loss

from clisc_engine.models.packages import Sam
from clisc_engine.models.sam import low_resolution_masks
from clisc_engine.models.tiny import build_sam, read_config
from clisc_engine.tiny.augment import Strength, moved, recoloured
from clisc_engine.tiny.bank import Slices
from clisc_engine.tiny.prompting import Kind, RoughPrompt, rough_prompt
from clisc_engine.tiny.teaching import Subject, options_of, teach

PROMPTS = 2  # a slice: the encoder's work is shared
EMPTY_SHARE = 0.10  # of slices without any tumour


def framed(images: Tensor, masks: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Move each brain to the upper left and say which pixels exist, as SAM's padding does.

    Returns images, masks and a boolean (N, 1, S, S) that is False in the padding.
    """
    size = images.shape[-1]
    exists = torch.ones_like(images, dtype=torch.bool)
    for k in range(len(images)):
        filled = (images[k, 0] >= 1).any(0).nonzero()[:, 0]
        if rng.random() < 0.3 or len(filled) == 0:
            continue
        left = max(0, int(filled[0]) - int(rng.integers(0, 12)))
        right = min(size, int(filled[-1]) + int(rng.integers(1, 12)))
        images[k] = torch.roll(images[k], -left, -1)
        masks[k] = torch.roll(masks[k], -left, -1)
        exists[k, :, :, right - left :] = False
    return images * exists, masks * exists, exists


def preprocessed(sam: Sam, images: Tensor, exists: Tensor) -> Tensor:
    """SAM's normalisation of greys 0..255; the padding is 0 after it."""
    pixels = (images.expand(-1, 3, -1, -1) - sam.pixel_mean) / sam.pixel_std
    return pixels * exists


def prompted(sam: Sam, prompts: list[RoughPrompt], kind: Kind) -> tuple[Tensor, Tensor]:
    """Sparse and dense embeddings from SAM's own prompt encoder."""
    # SamPredictor hands over float pixel coordinates; the encoder itself adds half a pixel.
    boxes = torch.from_numpy(np.stack([p.box for p in prompts]))
    points = torch.from_numpy(np.stack([p.points for p in prompts]))
    labels = torch.from_numpy(np.stack([p.labels for p in prompts]))
    sparse, dense = sam.prompt_encoder(
        points=None if kind == "box" else (points, labels),
        boxes=None if kind == "points" else boxes,
        masks=None,
    )
    return sparse, dense


def decoded(sam: Sam, image: Tensor, sparse: Tensor, dense: Tensor) -> tuple[Tensor, Tensor]:
    """Single-mask logits and predicted IoU (N, 1) of N different images with one prompt each."""
    logits, tokens = low_resolution_masks(sam, image, sparse, dense)
    return logits, sam.mask_decoder.iou_prediction_head(tokens)[:, :1]


def loss_of(logits: Tensor, quality: Tensor, answers: Tensor, exists: Tensor) -> tuple[Tensor, Tensor]:
    """BCE + Dice of masks, and squared error of the predicted IoU; also the mean Dice; both scalar.

    Args:
        logits: of the masks, (N, 1, h, w).
        quality: the predicted IoU, (N, 1).
        answers: 0 or 1, (N, 1, S, S).
        exists: False in the padding, (N, 1, S, S).
    """
    size = answers.shape[-2:]
    full = interpolate(logits.float(), size, mode="bilinear", align_corners=False)
    probability = full.sigmoid() * exists
    both = (probability * answers).sum((1, 2, 3))
    soft = 1 - (2 * both + 20) / (probability.sum((1, 2, 3)) + answers.sum((1, 2, 3)) + 20)
    plain = binary_cross_entropy_with_logits(full, answers, weight=exists.float(), reduction="none")
    pixel = plain.mean((1, 2, 3)) * 8
    hard = (full > 0) & exists
    hit = (hard & (answers > 0)).sum((1, 2, 3)).float()
    union = (hard | (answers > 0)).sum((1, 2, 3)).float()
    iou = (hit + 1e-6) / (union + 1e-6)
    filled = answers.sum((1, 2, 3)) > 0
    dice = (2 * iou / (1 + iou))[filled].mean()
    return (soft + pixel).mean() + mse_loss(quality[:, 0].float(), iou), dice


def batch_of(
    bank: Slices, chosen: Tensor, size: int, torch_rng: torch.Generator, rng: np.random.Generator
) -> tuple[Tensor, Tensor, list[RoughPrompt], list[int]]:
    """Augmented images (N, 1, size, size), what of them exists, prompts and the image of each prompt."""
    index = chosen.numpy()
    images = torch.from_numpy(bank.images[index]).float()[:, None]
    masks = torch.from_numpy(bank.masks[index]).float()[:, None]
    strength = Strength(turn_degrees=25, equalise=0.4, flip_rows=0.3)
    images, masks = moved(images, masks, size, strength, torch_rng)
    images, masks, exists = framed(recoloured(images, strength, torch_rng), masks, rng)
    greys, areas = images[:, 0].numpy(), masks[:, 0].numpy() > 0.5
    bright, prompts, owners = rng.random() < 0.4, [], []
    for k in range(len(images)):
        for _ in range(PROMPTS):
            prompt = rough_prompt(rng, greys[k], areas[k], greys[k] >= 1, bright)
            if prompt is not None:
                prompts.append(prompt)
                owners.append(k)
    return images, exists, prompts, owners


def train(options: argparse.Namespace) -> None:
    """Run the training; exports the averaged weights every ``--every`` steps."""
    torch.manual_seed(options.seed)
    torch_rng, rng = (
        torch.Generator().manual_seed(options.seed),
        np.random.default_rng(options.seed),
    )
    config = read_config("tiny_sam")
    sam = build_sam(config)

    def lesson(bank: Slices, chosen: Tensor) -> tuple[Tensor, Tensor]:
        images, exists, prompts, owners = batch_of(bank, chosen, config["image_size"], torch_rng, rng)
        kind: Kind = rng.choice(["both", "box", "points"], p=[0.6, 0.2, 0.2])
        encoded = sam.image_encoder(preprocessed(sam, images, exists))
        logits, quality = decoded(sam, encoded[owners], *prompted(sam, prompts, kind))
        answers = torch.from_numpy(np.stack([p.answer for p in prompts])).float()[:, None]
        return loss_of(logits, quality, answers, exists[owners])

    empty = round(options.batch * EMPTY_SHARE)
    subject = Subject(
        "tiny_sam", lambda module: module, 0.02, ill=options.batch - empty, well=empty, figure="dice"
    )
    teach(subject, sam, lesson, torch_rng, options)


def main(arguments: list[str]) -> None:
    """Parse the options and train."""
    train(options_of("sam", batch=16, rate=8e-4).parse_args(arguments))
