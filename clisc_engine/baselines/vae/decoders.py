"""The two decoders of the autoencoder: from a latent code (B, L) to a slice's logits (B, 1, S, S)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class ResidualDecoder(nn.Module):
    """MedIA's: four stages of two residual blocks, 256-128-64-32-16 channels, from 14 x 14 to 224 x 224."""

    def __init__(self, latent: int, width: int, side: int) -> None:
        """``width`` is the encoder's, ``side`` that of its last features."""
        super().__init__()
        channels = [4 * width, 2 * width, width, width // 2, width // 4]
        self.shape = (channels[0], side, side)
        self.dense = nn.Linear(latent, channels[0] * side**2)
        self.stages = nn.Sequential(
            *(
                nn.Sequential(_Residual(inputs, outputs, larger=True), _Residual(outputs, outputs))
                for inputs, outputs in pairwise(channels)
            )
        )
        self.out = nn.Conv2d(channels[-1], 1, 3, padding=1)

    def forward(self, code: Tensor) -> Tensor:
        """The logits of a code."""
        logits: Tensor = self.out(self.stages(self.dense(code).unflatten(1, self.shape)))
        return logits


class PlainDecoder(nn.Module):
    """BMVC's: five upsampling blocks, L-256-128-64-32-16 channels, from 7 x 7 to 224 x 224."""

    def __init__(self, latent: int, width: int, side: int) -> None:
        """``width`` is the encoder's, ``side`` that of its last features."""
        super().__init__()
        channels = [latent, 4 * width, 2 * width, width, width // 2, width // 4]
        self.shape = (latent, side, side)
        self.dense = nn.Linear(latent, latent * side**2)
        self.stages = nn.Sequential(
            *(_Upsampling(inputs, outputs) for inputs, outputs in pairwise(channels))
        )
        self.out = nn.Conv2d(channels[-1], 1, 3, padding=1)

    def forward(self, code: Tensor) -> Tensor:
        """The logits of a code."""
        logits: Tensor = self.out(self.stages(self.dense(code).unflatten(1, self.shape)))
        return logits


class _Residual(nn.Module):
    """Two 3 x 3 convolutions and a shortcut; ``larger`` doubles the sides after the first one."""

    def __init__(self, inputs: int, outputs: int, *, larger: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.grow: nn.Module = nn.Upsample(scale_factor=2) if larger else nn.Identity()
        self.shortcut: nn.Module = nn.Identity()
        if larger:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1), nn.Upsample(scale_factor=2), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.relu(self.norm1(self.grow(self.conv1(x))))
        return functional.relu(self.norm2(self.conv2(inner)) + self.shortcut(x))


class _Upsampling(nn.Module):
    """Twice the sides, then two 3 x 3 convolutions, rectified before normalised, and a third beside."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        larger = functional.interpolate(x, scale_factor=2)
        inner = self.norm1(functional.relu(self.conv1(larger)))
        inner = self.norm2(functional.relu(self.conv2(inner)))
        return torch.add(inner, self.shortcut(larger))
