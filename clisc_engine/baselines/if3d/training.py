"""What the field learns: points of the normal slices, each volume under a code of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from clisc_engine.baselines.if3d.grid import Grid, slices_on_grid
from clisc_engine.baselines.if3d.network import AutoDecoder
from clisc_engine.baselines.if3d.positions import positions
from clisc_engine.baselines.if3d.quantiser import Floats, fit_centres
from clisc_engine.settings.baselines.if3d import If3dSettings
from clisc_engine.training.data_parallel import DataParallel

PENALTY_WARM_UP = 100
"""Epochs over which the penalty on the codes grows to its weight (original: 100)."""

VALUES_A_VOLUME = 20_000
"""Intensities of each volume, evenly spaced among its normal voxels, to which the centres are fitted."""

PointBatch = tuple[Tensor, Tensor, float]
"""Points (B, P, 4) and classes (B, P) for the `AutoDecoder`, and the weight of the codes' penalty."""


@dataclass(frozen=True)
class NormalPoints:
    """The normal brain voxels of one volume: flat index (N,) in a grid of ``shape``, and class (N,)."""

    index: npt.NDArray[np.int32]
    classes: npt.NDArray[np.uint8]
    shape: tuple[int, ...]


def normal_voxels(grid: Grid, normal: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The voxels (Z, Y, X) of a grid that are brain, in slices that its volume (Z,) calls normal."""
    return grid.brain & slices_on_grid(normal, len(grid.brain))[:, None, None]


def centres_of(
    grids: Sequence[Grid], voxels: Sequence[npt.NDArray[np.bool_]], settings: If3dSettings
) -> Floats:
    """The centres (classes,) of k-means over the intensities at these voxels; each volume counts alike."""
    values = []
    for grid, chosen in zip(grids, voxels, strict=True):
        found = grid.values[chosen]
        if len(found):
            at = np.linspace(0, len(found) - 1, min(len(found), VALUES_A_VOLUME)).astype(int)
            values.append(found[at])
    return fit_centres(np.concatenate(values), settings.classes)


def optimiser_of(module: AutoDecoder, settings: If3dSettings) -> torch.optim.Optimizer:
    """Adam, with a learning rate for the network and one for the codes."""
    return torch.optim.Adam(
        [
            {"params": list(module.field.parameters()), "lr": settings.learning_rate},
            {"params": [module.codes.weight], "lr": settings.code_learning_rate},
        ]
    )


@dataclass(frozen=True)
class FieldTask:
    """The batches of an epoch and their loss.

    Attributes:
        module: under training, on its device.
        volumes: what to learn from, in the order of the codes.
        settings: points, batch size and penalty.
        seed: of every draw, together with the epoch's number.
        ranks: those that share each batch.
    """

    module: AutoDecoder
    volumes: Sequence[NormalPoints]
    settings: If3dSettings
    seed: int
    ranks: DataParallel

    def batches(self, epoch: int) -> Iterator[PointBatch]:
        """Each volume once, in random order, with points drawn uniformly from its normal voxels."""
        generator = np.random.default_rng([self.seed, epoch])
        order = generator.permutation(len(self.volumes))
        device = self.module.centres.device
        penalty = self.settings.code_penalty * min(1.0, epoch / PENALTY_WARM_UP)
        for start in range(0, len(order), self.settings.batch_size):
            drawn = [self._draw(int(i), generator) for i in order[start : start + self.settings.batch_size]]
            points, classes = (
                torch.from_numpy(np.stack(part)).to(device) for part in zip(*drawn, strict=True)
            )
            yield points, classes, penalty

    def _draw(
        self, number: int, generator: np.random.Generator
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        volume = self.volumes[number]
        chosen = generator.integers(len(volume.index), size=self.settings.points)
        at = positions(volume.index[chosen], volume.shape)
        numbered = np.concatenate([np.full((len(at), 1), number, np.float32), at], axis=1)
        return numbered, volume.classes[chosen].astype(np.int64)

    def loss(self, batch: PointBatch) -> Tensor:
        """Mean cross entropy of the points, and the penalty times the mean Euclidean norm of their codes.

        The original sums both over the points. Adam does not see that factor, and as a mean the loss is
        in nats whatever the number of points.
        """
        points, classes, penalty = batch
        logits = self.ranks.outputs(points).float()
        entropy = functional.cross_entropy(logits.flatten(0, 1), classes.flatten())
        norms = self.module.codes.weight[points[:, 0, 0].long()].norm(dim=1)
        return entropy + penalty * norms.mean()
