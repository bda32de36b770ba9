"""The network that takes a volume apart into its normal layer, its tumour layer and the tumour's mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from clisc_engine.models.residual_unet import ResidualUNet, convolution

NORMAL, TUMOUR, MASK = 0, 1, 2
"""Channels of the output."""
LAYERS = 3


class DoubleConvUNet(nn.Module):
    """The original's 3-D U-Net (Cicek et al., MICCAI 2016): two 3x3x3 convolutions a level.

    The encoder's first convolution of a level has half its channels. 19.07 million parameters at 64,
    128, 256 and 512 channels. The original normalises by the statistics of the batch, at test too; at one
    volume a batch this is instance normalisation, which ours has openly.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        """A network of so many channels at its levels, finest first; levels are a factor of 2 apart."""
        super().__init__()
        before = [1, *channels[:-1]]
        self.down = nn.ModuleList(
            _double(into, out // 2, out) for into, out in zip(before, channels, strict=True)
        )
        pairs = list(zip(channels[-2::-1], channels[:0:-1], strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose3d(deep, deep, 2, stride=2) for _, deep in pairs)
        self.merge = nn.ModuleList(_double(skip + deep, skip, skip) for skip, deep in pairs)
        self.pool = nn.MaxPool3d(2)
        self.head = nn.Conv3d(channels[0], LAYERS, 1)

    def forward(self, volumes: Tensor) -> Tensor:
        """Layers (B, 3, Z, Y, X) of volumes (B, 1, Z, Y, X)."""
        found: Tensor = self.down[0](volumes)
        skips = [found]
        for level in list(self.down)[1:]:
            found = level(self.pool(found))
            skips.append(found)
        for up, merge, skip in zip(self.up, self.merge, skips[-2::-1], strict=True):
            found = merge(torch.cat([skip, up(found)], dim=1))
        layers: Tensor = self.head(found)
        return layers


def build_network(kind: Literal["double_conv", "residual"], channels: Sequence[int]) -> nn.Module:
    """The network from volumes (B, 1, Z, Y, X) to layers (B, 3, Z, Y, X): normal, tumour, mask's logit.

    Args:
        kind: the original's, or the residual U-Net of our step 5.
        channels: of the levels, finest first; levels are a factor of 2 apart.
    """
    if kind == "double_conv":
        return DoubleConvUNet(channels)
    return ResidualUNet(1, LAYERS, tuple(channels), [(2, 2, 2)] * (len(channels) - 1))


def _double(before: int, middle: int, after: int) -> nn.Module:
    """Two 3x3x3 convolutions, each followed by instance normalisation and ReLU."""
    pairs = ((before, middle), (middle, after))
    return nn.Sequential(*(convolution(before, after, nn.ReLU()) for before, after in pairs))


def recomposed(layers: Tensor) -> Tensor:
    """The volumes (B, Z, Y, X) that layers (B, 3, Z, Y, X) make: s * tumour + (1 - s) * normal.

    s is the mask's probability.
    """
    share = layers[:, MASK].sigmoid()
    return share * layers[:, TUMOUR] + (1 - share) * layers[:, NORMAL]
