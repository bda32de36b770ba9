"""Batch normalisation over a batch that several ranks share.

PyTorch's SyncBatchNorm does this on GPUs alone; here is the same for CPUs.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


def share_batch_norm(module: nn.Module, group: Any) -> None:
    """Let every batch normalisation below ``module`` take the statistics of all ranks' shares.

    Names, parameters and running statistics stay, so states load as before.
    """
    for name, child in module.named_children():
        if isinstance(child, Norm):
            setattr(module, name, _shared(child, group))
        else:
            share_batch_norm(child, group)


def _shared(norm: Norm, group: Any) -> nn.Module:
    if norm.running_mean is not None and norm.running_mean.is_cuda:
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(norm, group)
        return converted
    return SharedBatchNorm(norm, group)


class SharedBatchNorm(nn.Module):
    """A batch normalisation (N, C, ...) whose mean and variance are those of all ranks' samples."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, norm: Norm, group: Any) -> None:
        """Take over a normalisation's parameters and running statistics."""
        super().__init__()
        self.weight, self.bias = norm.weight, norm.bias
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(norm, name))
        self.eps, self.momentum, self.group = norm.eps, norm.momentum or 0.0, group

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalise by the batch's statistics in training, by the running ones otherwise."""
        if not self.training:
            return nn.functional.batch_norm(
                inputs, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        axes = [0, *range(2, inputs.dim())]
        values = inputs.float()
        count = values.new_tensor([values.numel() / values.shape[1]])
        sums = all_reduce(torch.cat([values.sum(axes), count]), dist.ReduceOp.SUM, self.group)
        number = sums[-1].detach()
        mean = sums[:-1] / number
        shape = [1, -1] + [1] * (inputs.dim() - 2)
        centred = values - mean.view(shape)
        variance = all_reduce((centred**2).sum(axes), dist.ReduceOp.SUM, self.group) / number
        self._remember(mean.detach(), variance.detach() * number / (number - 1).clamp(min=1))
        scale = (variance + self.eps).rsqrt() * self.weight
        return (centred * scale.view(shape) + self.bias.view(shape)).to(inputs.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
