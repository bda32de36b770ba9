"""Training of an autoencoder on normal slices, under a constraint on its attention."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from clisc_engine.baselines.vae.network import Outputs, Vae
from clisc_engine.baselines.vae.slices import NormalSlices, as_input
from clisc_engine.project.project import Project
from clisc_engine.running.control import Control
from clisc_engine.settings.baselines.vae import VaeSettings
from clisc_engine.training.data_parallel import share_batches
from clisc_engine.training.loop import fit
from clisc_engine.training.training import Training, steps

Loss: TypeAlias = Callable[[Outputs, Tensor, bool], Tensor]
"""The loss of a batch, a scalar, from what the network says, the slices (B, 1, S, S) and whether the
constraint holds yet."""


@dataclass(frozen=True)
class Batch:
    """Slices (B, 1, S, S) in [0, 1], and whether the constraint on the attention holds yet."""

    slices: Tensor
    constrained: bool


@dataclass(frozen=True)
class Plan:
    """How a method trains.

    Attributes:
        section: of the settings, which errors name.
        settings: the network's and the data's.
        batch_size: slices a step.
        learning_rate: Adam's, all along.
        warm_up_epochs: first epochs without the constraint.
        loss: of a batch.
    """

    section: str
    settings: VaeSettings
    batch_size: int
    learning_rate: float
    warm_up_epochs: int
    loss: Loss


def batches(data: NormalSlices, plan: Plan, seed: int, epoch: int, device: torch.device) -> Iterator[Batch]:
    """The batches of an epoch, counted from 0; order and choice follow from (seed, epoch)."""
    generator = np.random.default_rng([seed, epoch])
    for slices in data.batches(plan.settings.slices_per_epoch, plan.batch_size, generator):
        yield Batch(as_input(slices, device), epoch >= plan.warm_up_epochs)


def train_vae(
    project: Project,
    network: str,
    module: Vae,
    data: NormalSlices,
    plan: Plan,
    provenance: dict[str, str],
    control: Control,
) -> None:
    """Train the network, on its device already, and save it; the last epoch counts, as in the originals."""
    seed = project.settings.seed
    module.histogram.copy_(torch.from_numpy(data.histogram))
    device = module.histogram.device
    ranks = share_batches(module, network, plan.batch_size, control)
    if len(data) < plan.batch_size:
        control.progress.say(
            f"{network}: {plan.section}.batch_size is {plan.batch_size}, but there are only {len(data)} "
            "normal slices; each step takes them all."
        )

    def loss(batch: Batch) -> Tensor:
        return plan.loss(module.unpacked(ranks.outputs(batch.slices)), batch.slices, batch.constrained)

    training: Training[Batch] = Training(
        name=network,
        settings=plan.section,
        schedule_section=plan.section,
        made_from=provenance,
        seed=seed,
        module=module,
        optimiser=torch.optim.Adam(module.parameters(), lr=plan.learning_rate),
        schedule=steps(0),
        extensible=False,
        epochs=plan.settings.epochs,
        batches=lambda epoch: batches(data, plan, seed, epoch, device),
        loss=loss,
        score=None,
        save_every=60 * project.settings.training.save_every_minutes,
        ranks=ranks,
    )
    fit(training, project.checkpoint(network), project.logs / f"{network}.csv", control)
