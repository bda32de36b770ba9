"""Losses of segmentation networks: cross entropy, and the soft Dice as MONAI has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from torch import Tensor
from torch.nn import functional

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""From logits (N, 2, Z, Y, X) and labels (N, 1, Z, Y, X) in {0, 1} to a scalar."""

SMOOTH = 1e-5
"""Added above and below the fraction, so that two empty masks agree."""


def segmentation_loss(name: Literal["dice_ce", "ce", "dice"]) -> Loss:
    """The loss of this name.

    The Dice term leaves the background out and is taken over the batch, so that a patch without
    tumour does not count as a Dice of its own.
    """
    weight_dice, weight_ce = {"dice_ce": (1.0, 1.0), "ce": (0.0, 1.0), "dice": (1.0, 0.0)}[name]

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        logits = logits.float()  # sums of thousands of bfloat16 voxels would have three digits
        dice = soft_dice_loss(logits.softmax(dim=1)[:, 1:], labels, over=(0, 2, 3, 4))
        entropy = functional.cross_entropy(logits, labels[:, 0].long())
        return weight_dice * dice + weight_ce * entropy

    return loss


def soft_dice_loss(probability: Tensor, labels: Tensor, *, over: Sequence[int]) -> Tensor:
    """One minus the soft Dice of probabilities (N, 1, Z, Y, X) with labels of the same shape; a scalar.

    Sums are over the dimensions ``over``, the mean over the others. The order is MONAI's, for its bits.
    """
    both = (probability * labels).sum(dim=tuple(over))
    only_found = (probability.sum(dim=tuple(over)) - both) * 0.5
    only_there = (labels.sum(dim=tuple(over)) - both) * 0.5
    fraction = (2 * both + SMOOTH) / (2 * (both + only_found + only_there) + SMOOTH)
    return (1 - fraction).mean()
