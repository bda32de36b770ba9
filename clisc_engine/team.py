"""Ranks that train one network: each runs its share of every batch, and the step is the whole batch's.

Every rank draws the same batches. Each runs the network on its share, gathers the others' outputs and takes
the loss of the whole batch, of which only its own outputs are differentiated. DistributedDataParallel sums
these parts of the gradient. So any loss, also one that is no mean over samples (Dice over a batch), has
the gradient that one rank would find.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from clisc_engine.control import Control
from clisc_engine.errors import BadInput
from clisc_engine.group import BEAT_SECONDS, Group
from clisc_engine.models.shared_norm import share_batch_norm

Value = TypeVar("Value")

COLLECTIVE_MINUTES = 60
"""A collective that takes longer has failed; the dead are noticed much earlier."""


class Lone:
    """One rank trains by itself."""

    rank, count = 0, 1
    is_member = True

    def __init__(self, module: nn.Module) -> None:
        """Nothing is shared."""
        self.module = module

    def outputs(self, inputs: Tensor) -> Tensor:
        """The network's outputs for a batch."""
        outputs: Tensor = self.module(inputs)
        return outputs

    def agree(self, stop: bool, save: bool) -> tuple[bool, bool]:
        """Whether any rank wants to stop, and whether rank 0 wants to save."""
        return stop, save

    def share(self, make: Callable[[], Value]) -> Value:
        """What rank 0 makes."""
        return make()

    def wait_for_all(self) -> None:
        """Wait until every rank of the command has come here."""

    def fail(self, error: Exception) -> None:
        """Leave a training that failed; raise what was the cause, if that lies with another rank."""


class Team(Lone):
    """Several ranks train together; those beyond the batch size wait."""

    def __init__(self, module: nn.Module, name: str, batch_size: int, group: Group) -> None:
        """Join the team; batch normalisation takes the whole batch's statistics from now on.

        Args:
            module: the network on its device; its state is taken from rank 0.
            name: of the network.
            batch_size: of the training.
            group: all ranks of the command.
        """
        super().__init__(module)
        self._group, self._name = group, name
        device = next(module.parameters()).device
        self.rank, self.count = group.rank, min(group.count, batch_size)
        self.is_member = self.rank < self.count
        _connect(group, device)
        members = dist.new_group(list(range(self.count)), timeout=timedelta(minutes=COLLECTIVE_MINUTES))
        self._members: Any = members
        if self.is_member and self.count > 1:
            share_batch_norm(module, self._members)
            self._network = DistributedDataParallel(
                module,
                device_ids=[device] if device.type == "cuda" else None,
                process_group=self._members,
            )

    def outputs(self, inputs: Tensor) -> Tensor:
        """The network's outputs for the whole batch; those of other ranks carry no gradient.

        A batch smaller than the team is run whole by each, which comes to the same gradient.
        """
        total = len(inputs)
        if self.count == 1:
            return super().outputs(inputs)
        if total < self.count:
            whole: Tensor = self._network(inputs)
            return whole
        sizes = [total // self.count + (rank < total % self.count) for rank in range(self.count)]
        start = sum(sizes[: self.rank])
        own: Tensor = self._network(inputs[start : start + sizes[self.rank]]).float()
        own.register_hook(lambda gradient: gradient * self.count)  # DDP takes the mean; the sum is needed
        padded = own.detach().new_zeros((sizes[0], *own.shape[1:]))
        padded[: len(own)] = own.detach()
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded, group=self._members)
        found = [part[:size] for part, size in zip(parts, sizes, strict=True)]
        return torch.cat([*found[: self.rank], own, *found[self.rank + 1 :]])

    def agree(self, stop: bool, save: bool) -> tuple[bool, bool]:
        """Whether any rank wants to stop, and whether rank 0 wants to save: all do so at one step."""
        wishes = torch.tensor([int(stop), int(save and self.rank == 0)])
        if self.count > 1:
            dist.all_reduce(wishes, dist.ReduceOp.MAX, group=self._members)
        return bool(wishes[0]), bool(wishes[1])

    def share(self, make: Callable[[], Value]) -> Value:
        """What rank 0 makes; the team's ranks come here, and no others."""
        return self._group.share(make, self._name)

    def wait_for_all(self) -> None:
        """Wait until every rank of the command has come here."""
        self._group.gather(None)

    def fail(self, error: Exception) -> None:
        """Close the connections, so that the others, waiting for this rank, hear of it."""
        if self.count > 1 and self._members.name() == "gloo":
            dist.destroy_process_group()
        if isinstance(error, RuntimeError):
            time.sleep(2 * BEAT_SECONDS)  # a broken connection is known sooner than why
            self._group.check()


def join_team(module: nn.Module, name: str, batch_size: int, control: Control) -> Lone:
    """The ranks of this command as the team that trains a network; says how they share its batches."""
    ranks = control.ranks
    if not isinstance(ranks, Group):
        return Lone(module)
    team = Team(module, name, batch_size, ranks)
    idle = ranks.count - team.count
    control.progress.say(
        f"{name}: each batch of {batch_size} is shared by {team.count} ranks"
        + (f"; {idle} more wait, since a batch has no more samples" if idle else "")
    )
    return team


def _connect(group: Group, device: torch.device) -> None:
    """Open torch's process group; numbers that steer the training go by gloo even where NCCL is."""
    if dist.is_initialized():
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
            store=group.store_for_torch,
            rank=group.rank,
            world_size=group.count,
            timeout=timedelta(minutes=COLLECTIVE_MINUTES),
        )
    except RuntimeError as error:
        group.check()
        raise BadInput(
            f"The ranks cannot open torch's process group ({str(error).splitlines()[0]}); "
            "docs/cluster.md says what to look at."
        ) from error
