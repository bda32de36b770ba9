"""Trainings that several ranks share, by torch's DistributedDataParallel and SyncBatchNorm."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_gather
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from clisc_engine.running.control import Control
from clisc_engine.running.group import FOREVER
from clisc_engine.running.ranks import Ranks


class DataParallel:
    """Data-parallel training with the exact full-batch loss: each rank runs its share of every batch.

    The outputs are gathered, and each rank computes the loss of all of them. So the loss need not be a mean
    over samples (Dice over a batch is none). torch's `all_gather` sums the gradient of a rank's own outputs
    over the ranks, and DistributedDataParallel then takes the mean over the ranks.

    torch synchronises batch normalisation on CUDA only; elsewhere rank 0 alone trains a network with it.

    Attributes:
        rank: this process's.
        count: how many ranks train, at most as many as a batch has samples.
        takes_part: whether this rank trains; otherwise it waits.
    """

    def __init__(self, module: nn.Module, ranks: Ranks, batch_size: int) -> None:
        """All ranks of the command call this, with the module on its device; all get rank 0's weights."""
        device = next(module.parameters()).device
        normed = any(isinstance(part, _BatchNorm) for part in module.modules())
        self.by_one = normed and device.type != "cuda"
        self.rank, self.count = ranks.rank, 1 if self.by_one else min(ranks.count, batch_size)
        self.takes_part, self._network = self.rank < self.count, module
        if self.count == 1:
            return
        ranks.gather(None)  # here ranks wait for each other as long as need be
        members, devices = list(range(self.count)), None
        self._group: Any = dist.new_group(members, timeout=FOREVER)
        self._gloo: Any = self._group
        if device.type == "cuda":
            torch.cuda.set_device(device)
            self._group, devices = dist.new_group(members, backend="nccl"), [device]
            module = nn.SyncBatchNorm.convert_sync_batchnorm(module, self._group)
        if self.takes_part:
            self._network = DistributedDataParallel(module, devices, process_group=self._group)

    def outputs(self, inputs: Tensor) -> Tensor:
        """The network's outputs for the whole batch (N, ...), which every rank passes in full.

        All shares have the same size: a batch that cannot be divided is filled up with its first samples.
        The outputs of these copies are dropped, but batch normalisation counts them.
        """
        if self.count == 1:
            return self._network(inputs)  # type: ignore[no-any-return]
        share = -(-len(inputs) // self.count)
        copies = -(-share * self.count // len(inputs))
        filled = inputs if copies == 1 else torch.cat([inputs] * copies)
        own = self._network(filled[self.rank * share : (self.rank + 1) * share]).float()
        return torch.cat(all_gather(own, group=self._group))[: len(inputs)]

    def largest(self, *numbers: int) -> list[int]:
        """The largest of each number over the ranks that train."""
        found = torch.tensor([int(number) for number in numbers])
        if self.count > 1:
            dist.all_reduce(found, dist.ReduceOp.MAX, group=self._gloo)
        return list(map(int, found))


def share_batches(module: nn.Module, name: str, batch_size: int, control: Control) -> DataParallel:
    """The ranks of this command that train ``module``; says who they are, if there are several."""
    ranks = DataParallel(module, control.ranks, batch_size)
    idle = control.ranks.count - ranks.count
    why = "batch normalisation is shared on CUDA only" if ranks.by_one else "a batch has no more samples"
    if control.ranks.count > 1:
        control.progress.say(
            f"{name}: each batch of {batch_size} is shared by {ranks.count} rank{'s'[: ranks.count > 1]}"
            + (f"; {idle} more wait, since {why}" if idle else "")
        )
    return ranks
