"""What a training is: network, data, loss, schedule, and all that determines its outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from clisc_engine.project.fingerprint import fingerprint
from clisc_engine.training.data_parallel import DataParallel

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Training(Generic[Batch]):
    """A training, without the options that only change where and how fast it runs.

    Attributes:
        name: of the network, e.g. ``unet-round1``.
        settings: section of the settings, e.g. ``unet``, that errors name.
        schedule_section: the section with its epochs and learning rate: ``settings``, but ``s3f`` for a
            round 2 that goes on from round 1.
        made_from: all that determines the outcome, for the fingerprint.
        seed: of every draw, together with the epoch's number.
        module: the network, on its device.
        optimiser: over the network's parameters.
        schedule: factor on the initial learning rate as a function of the epoch.
        extensible: the schedule's values do not depend on ``epochs``, so that a finished training can
            go on to more of them and end as if it had been asked for them at once.
        epochs: how many to run in all.
        batches: the batches of an epoch, on the network's device; each draw is seeded by the epoch.
        loss: the loss of one batch, a scalar tensor with gradient.
        score: quality on the valid split, higher is better; None keeps the last epoch.
        save_every: seconds between saves within an epoch; 0 saves whole epochs only.
        ranks: the ranks that train it.
    """

    name: str
    settings: str
    schedule_section: str
    made_from: dict[str, str]
    seed: int
    module: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: Callable[[int], float]
    extensible: bool
    epochs: int
    batches: Callable[[int], Iterator[Batch]]
    loss: Callable[[Batch], Tensor]
    score: Callable[[], float] | None
    save_every: float
    ranks: DataParallel

    @property
    def identity(self) -> str:
        """Fingerprint for resuming. An extensible training has the same one for any number of epochs."""
        epochs = f"{self.schedule_section}.epochs"
        shared = {k: v for k, v in self.made_from.items() if not (self.extensible and k == epochs)}
        return fingerprint(shared)


def polynomial(epochs: int, power: float) -> Callable[[int], float]:
    """The polynomial decay (1 - epoch / epochs) ** power."""
    return lambda epoch: (1 - epoch / epochs) ** power


def steps(every: int, factor: float = 0.1) -> Callable[[int], float]:
    """Decay by ``factor`` each ``every`` epochs; never when ``every`` is 0."""
    return lambda epoch: factor ** (epoch // every) if every else 1.0
