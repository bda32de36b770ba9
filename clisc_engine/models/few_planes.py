"""3x3x3 convolutions whose gradients can be trusted where few planes are left, in bfloat16 on a CPU.

oneDNN, by which PyTorch convolves on a CPU, makes the gradient by the weights of a volume of two planes
from memory that nobody has written, where the processor has bfloat16 (seen with oneDNN 3.12 and AVX-512
BF16; at stride 1 along z, of any width). It is another one each time, and often NaN or infinite. So deep
down in a U-Net, where a volume has so few planes, these are in float32.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clisc_engine.running.device import autocast

FEW = 2
"""Planes."""


class Conv3d(nn.Conv3d):
    """PyTorch's; in float32 where its gradient would be wrong."""

    def forward(self, volumes: Tensor) -> Tensor:
        """What it makes of volumes (B, C, Z, Y, X)."""
        if not _in_float32(volumes):
            return super().forward(volumes)
        with autocast(volumes.device, "32"):
            return super().forward(volumes.float())


class ConvTranspose3d(nn.ConvTranspose3d):
    """PyTorch's; in float32 where its gradient would be wrong."""

    def forward(self, volumes: Tensor, output_size: list[int] | None = None) -> Tensor:
        """What it makes of volumes (B, C, Z, Y, X)."""
        if not _in_float32(volumes):
            return super().forward(volumes, output_size)
        with autocast(volumes.device, "32"):
            return super().forward(volumes.float(), output_size)


def _in_float32(volumes: Tensor) -> bool:
    return (
        volumes.shape[2] <= FEW
        and volumes.device.type == "cpu"
        and torch.is_grad_enabled()
        and torch.is_autocast_enabled("cpu")
    )
