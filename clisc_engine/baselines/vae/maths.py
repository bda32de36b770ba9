"""Losses and regions that both methods share: pure functions of tensors."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def cross_entropy(logits: Tensor, slices: Tensor) -> Tensor:
    """Binary cross entropy of each pixel (B, 1, S, S) against grey values in [0, 1] as probabilities."""
    return functional.binary_cross_entropy_with_logits(logits.float(), slices, reduction="none")


def divergence(mu: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence from N(0, 1) of each latent number (B, L): ``-(1 + logvar - mu^2 - e^logvar) / 2``."""
    mu, log_variance = mu.float(), log_variance.float()
    return -0.5 * (1 + log_variance - mu**2 - log_variance.exp())


def eroded(brain: Tensor, side: int) -> Tensor:
    """A binary erosion of each (B, S, S) mask by a square of ``side`` pixels; what is outside is 0.

    An even square reaches one pixel farther up and to the left, as SciPy has it.
    """
    before, after = side // 2, side - 1 - side // 2
    padded = functional.pad(brain.float(), (before, after, before, after))
    return 1 - functional.max_pool2d(1 - padded[:, None], side, stride=1)[:, 0] > 0.5


def enlarged(maps: Tensor, size: int) -> Tensor:
    """Maps (B, h, w) as (B, size, size): bilinear, corners aligned, as in the authors' code."""
    return functional.interpolate(
        maps.float()[:, None], size=(size, size), mode="bilinear", align_corners=True
    )[:, 0]
