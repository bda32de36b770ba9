"""What the layers of simulated and of real volumes cost."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from clisc_engine.baselines.sim2real.network import MASK, NORMAL, TUMOUR, recomposed
from clisc_engine.models.losses import soft_dice_loss


class Targets(NamedTuple):
    """What a batch's layers should be; each (B, Z, Y, X).

    Attributes:
        volume: the network's input.
        normal: the normal layer.
        tumour: the tumour layer.
        mask: 0 or 1.
        weight: 0 where nothing is learned, else 1.
    """

    volume: Tensor
    normal: Tensor
    tumour: Tensor
    mask: Tensor
    weight: Tensor

    def part(self, start: int, stop: int) -> Targets:
        """Those of the samples ``start`` to ``stop`` of the batch."""
        return Targets(*(one[start:stop] for one in self))


def simulated_loss(layers: Tensor, targets: Targets) -> Tensor:
    """The original's loss of layers (B, 3, Z, Y, X), over what has a weight; a scalar.

    Soft Dice of the mask + L1 of either layer + L1 of either layer inside the mask, all with weight 1.
    """
    weight, inside = targets.weight, targets.weight * targets.mask
    normal = (layers[:, NORMAL] - targets.normal).abs()
    tumour = (layers[:, TUMOUR] - targets.tumour).abs()
    whole = _mean(normal, weight) + _mean(tumour, weight)
    return _dice(layers, targets) + whole + _mean(normal, inside) + _mean(tumour, inside)


def real_loss(layers: Tensor, targets: Targets) -> Tensor:
    """Loss of real volumes' layers (B, 3, Z, Y, X): soft Dice of the mask + L1 of what they recompose to.

    Our guess: the original's self-training was not released.
    """
    return _dice(layers, targets) + recomposition(layers, targets.volume, targets.weight)


def recomposition(layers: Tensor, volumes: Tensor, weight: Tensor) -> Tensor:
    """Mean distance, where there is weight, of volumes (B, Z, Y, X) from what their layers make."""
    return _mean((recomposed(layers) - volumes).abs(), weight)


def _dice(layers: Tensor, targets: Targets) -> Tensor:
    weight = targets.weight[:, None]
    found = layers[:, MASK : MASK + 1].sigmoid()
    return soft_dice_loss(found * weight, targets.mask[:, None] * weight, over=(2, 3, 4))


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp(min=1)
