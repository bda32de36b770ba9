"""Losses of the segmentation network, from MONAI and PyTorch."""

from __future__ import annotations

from typing import Any, Literal


def segmentation_loss(name: Literal["dice_ce", "ce", "dice"]) -> Any:
    """A module from logits (N, 2, Z, Y, X) and labels (N, 1, Z, Y, X) in {0, 1} to a loss.

    The Dice term leaves the background out and is taken over the batch, so that a patch without
    tumour does not count as a Dice of its own.
    """
    from monai.losses import DiceCELoss

    weight_dice, weight_ce = {"dice_ce": (1.0, 1.0), "ce": (0.0, 1.0), "dice": (1.0, 0.0)}[name]
    return DiceCELoss(
        include_background=False,
        to_onehot_y=True,
        softmax=True,
        batch=True,
        lambda_dice=weight_dice,
        lambda_ce=weight_ce,
    )
