"""Instance normalisation that keeps channels last, for training on a CPU.

PyTorch's own turns a channels-last volume into a contiguous one and leaves it so: the convolution before
and the one after each turn it back, a sixth of a U-Net's step. Its group normalisation keeps the layout,
but sums each channel in one float32 (1e-4 off at 64^3 voxels, 3e-3 at 128^3) and is slower backward.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from clisc_engine.models.own_gradients import trains_on_cpu

FEWEST_CHANNELS = 8
"""With fewer, sums over channels-last voxels leave most of each vector register empty."""

SPACE = (2, 3, 4)


class InstanceNorm(nn.InstanceNorm3d):
    """PyTorch's instance normalisation without weights, to its bits wherever no gradient is asked for."""

    def forward(self, volumes: Tensor) -> Tensor:
        """Each channel of each of the volumes (B, C, Z, Y, X) with mean 0 and variance 1."""
        if _gains(volumes):
            found: Tensor = _Normalised.apply(volumes, self.eps)
            return found
        return super().forward(volumes)


def _gains(volumes: Tensor) -> bool:
    return (
        trains_on_cpu(volumes)
        and volumes.shape[1] >= FEWEST_CHANNELS
        and volumes[0, 0].numel() > 1
        and volumes.is_contiguous(memory_format=torch.channels_last_3d)
    )


class _Normalised(torch.autograd.Function):
    """y = (x - mean) / s with s = sqrt(variance + eps), in the layout of x.

    Its gradient by x (Ioffe and Szegedy, ICML 2015, section 3) is (g - mean(g) - y * mean(g * y)) / s for a
    gradient g by y; all means are over a channel's voxels.
    """

    @staticmethod
    def forward(ctx: Any, volumes: Tensor, eps: float) -> Tensor:
        """The volumes (B, C, Z, Y, X), normalised."""
        centred = volumes - volumes.mean(SPACE, keepdim=True)
        scale = (centred * centred).mean(SPACE, keepdim=True).add_(eps).rsqrt_()
        normalised = centred.mul_(scale)
        ctx.save_for_backward(normalised, scale)
        return normalised

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """The gradient by the volumes; none by ``eps``."""
        normalised, scale = ctx.saved_tensors
        along = (gradient * normalised).mean(SPACE, keepdim=True)
        found = gradient - gradient.mean(SPACE, keepdim=True)
        return found.addcmul_(normalised, along, value=-1).mul_(scale), None
