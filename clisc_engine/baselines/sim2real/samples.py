"""The samples of an epoch, and what the network is told of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clisc_engine.baselines.sim2real.brains import Brain
from clisc_engine.baselines.sim2real.losses import (
    Targets,
    real_loss,
    recomposition,
    simulated_loss,
)
from clisc_engine.baselines.sim2real.simulation import Sample, layers_of, simulate
from clisc_engine.baselines.sim2real.texture import Source
from clisc_engine.running.control import Control
from clisc_engine.running.device import pick_device
from clisc_engine.running.read_ahead import Ahead, read_ahead
from clisc_engine.settings.baselines.sim2real import Sim2RealSettings
from clisc_engine.training.data_parallel import DataParallel

Draw = Callable[[np.random.Generator, int], tuple[Sample, bool]]
"""The sample of a number within its epoch, and whether it is simulated, by a generator of its own."""


@dataclass(frozen=True)
class Batch:
    """Simulated samples, then real ones.

    Attributes:
        targets: the inputs and what the layers should be.
        simulated: how many are.
    """

    targets: Targets
    simulated: int


def collated(samples: Sequence[tuple[Sample, bool]], device: torch.device) -> Batch:
    """The batch of samples and whether each is simulated; those that are come first."""
    ordered = sorted(samples, key=lambda pair: not pair[1])
    arrays = [(s.mix, s.normal, s.tumour, s.mask, s.weight) for s, _ in ordered]
    targets = Targets(
        *(torch.from_numpy(np.stack(parts)).to(device) for parts in zip(*arrays, strict=True))
    )
    return Batch(targets, sum(simulated for _, simulated in samples))


@dataclass(frozen=True)
class LayerTask:
    """What a network learns: the samples of an epoch, and their loss.

    Attributes:
        draw: makes a sample.
        stage: 1 or 2; their draws differ.
        seed: of every draw, together with the stage and the numbers of epoch and sample.
        settings: how many samples.
        ranks: those that share each batch.
        control: device, and threads that make samples ahead of their turn.
    """

    draw: Draw
    stage: int
    seed: int
    settings: Sim2RealSettings
    ranks: DataParallel
    control: Control

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The samples of an epoch in batches; the last one may be smaller."""
        device = pick_device(self.control.device)

        def make(index: int) -> tuple[Sample, bool]:
            return self.draw(np.random.default_rng([self.seed, self.stage, epoch, index]), index)

        waiting = []
        numbers = map(Ahead, range(self.settings.samples_per_epoch))
        with closing(read_ahead(numbers, make, self.control)) as samples:
            for _, sample in samples:
                waiting.append(sample())
                if len(waiting) == self.settings.batch_size:
                    yield collated(waiting, device)
                    waiting = []
        if waiting:
            yield collated(waiting, device)

    def loss(self, batch: Batch) -> Tensor:
        """The loss of a batch: that of its simulated samples and that of its real ones; a scalar."""
        volumes = batch.targets.volume[:, None].contiguous(memory_format=torch.channels_last_3d)
        layers = self.ranks.outputs(volumes).float()
        parts = []
        if batch.simulated:
            simulated = batch.targets.part(0, batch.simulated)
            parts.append(simulated_loss(layers[: batch.simulated], simulated))
        if batch.simulated < len(layers):
            real = batch.targets.part(batch.simulated, len(layers))
            parts.append(real_loss(layers[batch.simulated :], real))
        return torch.stack(parts).sum()


def simulated_from(brains: Sequence[Brain], settings: Sim2RealSettings, grounds: Sequence[int]) -> Draw:
    """Draws of stage 1: any of these grounds, with the texture of any brain."""

    def draw(rng: np.random.Generator, _index: int) -> tuple[Sample, bool]:
        ground = brains[int(rng.choice(grounds))]
        source = Source.of(brains[int(rng.integers(len(brains)))])
        return simulate(rng, ground, source, settings), True

    return draw


def closeness(module: torch.nn.Module, brains: Sequence[Brain], control: Control) -> float:
    """How well layers recompose brains, in (0, 1]: 1 / (1 + the mean distance, in standard deviations)."""
    device = pick_device(control.device)
    distances = []
    for brain in brains:
        control.check_stop()
        nothing = np.zeros(brain.image.shape, bool)
        targets = collated([(layers_of(brain, brain.image, nothing), False)], device).targets
        inside = (targets.volume != 0).float()
        distances.append(
            float(recomposition(module(targets.volume[:, None]).float(), targets.volume, inside))
        )
    return 1 / (1 + float(np.mean(distances)))
