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
    gradient g by y; all means are over a channel's voxels. What is in bfloat16 is normalised in float32.
    """

    @staticmethod
    def forward(ctx: Any, volumes: Tensor, eps: float) -> Tensor:
        """The volumes (B, C, Z, Y, X), normalised."""
        centred = volumes - _mean(volumes)
        scale = _mean(centred * centred).add_(eps).rsqrt_()
        normalised = centred.mul_(scale).to(volumes.dtype)
        ctx.save_for_backward(normalised, scale)
        return normalised

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """The gradient by the volumes; none by ``eps``."""
        normalised, scale = ctx.saved_tensors
        along = _mean(gradient * normalised)
        found = gradient - _mean(gradient)
        found.addcmul_(normalised.to(found.dtype), along, value=-1).mul_(scale)
        return found.to(gradient.dtype), None


def _mean(volumes: Tensor) -> Tensor:
    """Of each channel, (B, C, 1, 1, 1) in float32, in which differences from it are then, too."""
    return volumes.mean(SPACE, keepdim=True, dtype=torch.float32)
