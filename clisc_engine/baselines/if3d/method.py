"""3D IF as a learned method: its training, and its maps of one case after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from clisc_engine.baselines.if3d.grid import on_grid
from clisc_engine.baselines.if3d.mapping import improbability_map
from clisc_engine.baselines.if3d.network import AutoDecoder
from clisc_engine.baselines.if3d.training import (
    FieldTask,
    NormalPoints,
    PointBatch,
    centres_of,
    normal_voxels,
    optimiser_of,
)
from clisc_engine.baselines.method import MapRow, NormalCase
from clisc_engine.core.seeds import case_generator
from clisc_engine.products.kinds import IMAGE
from clisc_engine.project.project import Project
from clisc_engine.running.control import Control
from clisc_engine.running.device import pick_device
from clisc_engine.settings.baselines.if3d import If3dSettings
from clisc_engine.stages.classifier.slices import arrays_of
from clisc_engine.stages.classifier.training import frozen
from clisc_engine.training.data_parallel import share_batches
from clisc_engine.training.loop import fit
from clisc_engine.training.training import Training, steps

SECTION = "baselines.if3d"


def train(
    project: Project,
    network: str,
    normal: Sequence[NormalCase],
    provenance: dict[str, str],
    control: Control,
) -> None:
    """Learn the field, and a code for each case, from the cases' normal slices.

    Args:
        project: the project.
        network: name of the checkpoint.
        normal: the train cases, and which of their slices are normal.
        provenance: what the network is made from.
        control: device, progress and stop.
    """
    settings, seed = project.settings.baselines.if3d, project.settings.seed
    volumes, centres = _learned_from(normal, settings, control)
    torch.manual_seed(seed)
    module = AutoDecoder(settings, len(volumes))
    module.centres.copy_(torch.from_numpy(centres))
    module.to(pick_device(control.device))
    ranks = share_batches(module, network, settings.batch_size, control)
    task = FieldTask(module, volumes, settings, seed, ranks)
    training: Training[PointBatch] = Training(
        name=network,
        settings=SECTION,
        schedule_section=SECTION,
        made_from=provenance,
        seed=seed,
        module=module,
        optimiser=optimiser_of(module, settings),
        schedule=steps(settings.halve_every, 0.5),
        extensible=False,
        epochs=settings.epochs,
        batches=task.batches,
        loss=task.loss,
        score=None,
        save_every=60 * project.settings.training.save_every_minutes,
        ranks=ranks,
    )
    fit(training, project.checkpoint(network), project.logs / f"{network}.csv", control)


def mapper(project: Project, network: str, control: Control) -> FieldMapper:
    """The maps that the trained network ``network`` makes."""
    return FieldMapper(project, network, control)


class FieldMapper:
    """Maps of one case after the other; draws depend on the project's seed and the case's name alone."""

    def __init__(self, project: Project, network: str, control: Control) -> None:
        """Load nothing yet."""
        self.settings, self.seed = project.settings.baselines.if3d, project.settings.seed
        self.checkpoint, self.control = project.checkpoint(network), control

    def load(self) -> None:
        """Load the field and its centres; the codes of the train cases come with them.

        Raises:
            MissingStage: when it is not trained yet.
            BadInput: when its weights are damaged.
        """
        self.checkpoint.fingerprint()
        codes = self.checkpoint.tensors()["codes.weight"]
        self.module = AutoDecoder(self.settings, len(codes))
        self.checkpoint.load(self.module)
        frozen(self.module.to(pick_device(self.control.device)))

    def map(self, image: npt.NDArray[Any], spacing: Sequence[float], name: str) -> npt.NDArray[np.float32]:
        """The map (Z, Y, X) in nats of a stored image (Z, Y, X) of ``spacing`` (z, y, x) mm."""
        generator = case_generator(self.seed, name)
        return improbability_map(
            self.module,
            image.astype(np.float32),
            spacing,
            self.settings,
            generator,
            self.control.check_stop,
        )


def _learned_from(
    normal: Sequence[NormalCase], settings: If3dSettings, control: Control
) -> tuple[list[NormalPoints], npt.NDArray[np.float32]]:
    """The points of each case that has any, and the centres of their classes."""
    grids, voxels = [], []
    slices = {one.case.info.name: one.normal for one in normal}
    for case, (image,) in arrays_of([one.case for one in normal], (IMAGE,), control):
        grid = on_grid(image.astype(np.float32), case.info.spacing, settings)
        chosen = normal_voxels(grid, slices[case.info.name])
        if chosen.any():
            grids.append(grid)
            voxels.append(chosen)
    centres = centres_of(grids, voxels, settings)
    found = []
    for grid, chosen in zip(grids, voxels, strict=True):
        index = np.flatnonzero(chosen).astype(np.int32)
        found.append(NormalPoints(index, grid.classes(centres, settings).ravel()[index], grid.brain.shape))
    return found, centres


IF3D = MapRow(row="if3d", train=train, mapper=mapper)
"""3D IF as a row of Table 1."""
