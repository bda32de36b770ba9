"""Sim2Real as a method: two trainings, and the maps of either network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from clisc_engine.baselines.method import MapRow, NormalCase
from clisc_engine.baselines.sim2real.brain_store import BrainStore
from clisc_engine.baselines.sim2real.brains import Brain
from clisc_engine.baselines.sim2real.decomposer import Decomposer
from clisc_engine.baselines.sim2real.network import build_network
from clisc_engine.baselines.sim2real.samples import Batch, Draw, LayerTask, closeness, simulated_from
from clisc_engine.baselines.sim2real.selftraining import self_training_from, trusted_answers
from clisc_engine.errors import BadInput
from clisc_engine.project.project import Project
from clisc_engine.running.control import Control
from clisc_engine.running.device import pick_device
from clisc_engine.settings.baselines.sim2real import Sim2RealSettings
from clisc_engine.training.data_parallel import share_batches
from clisc_engine.training.loop import fit
from clisc_engine.training.training import Training, polynomial

STAGE1, STAGE2 = "baseline-sim2real-stage1", "baseline-sim2real"
SECTION = "baselines.sim2real"
NOWHERE: npt.NDArray[np.bool_] = np.zeros(1, np.bool_)
"""Flags of a case whose slices' being normal does not matter."""


def train_stage1(
    project: Project,
    network: str,
    normal: Sequence[NormalCase],
    provenance: dict[str, str],
    control: Control,
) -> None:
    """Train on simulated tumours alone: the method as it was released.

    Args:
        project: where settings are and weights go.
        network: name of the weights.
        normal: the train cases. Tumours are put where slices are normal, and nothing is learned elsewhere;
            textures come from all of them.
        provenance: what the weights are made from. With ``select`` = best the images of valid belong to it.
        control: device, precision, wish to stop, ranks.

    Raises:
        BadInput: when no case has a normal slice.
        Stopped: when asked to stop; the state is saved.
    """
    settings = _settings(project)
    module = _network(settings, project.settings.seed, control)
    brains = _brains(project, normal)
    draw = simulated_from(brains, settings, _grounds(brains))
    _train(project, module, network, draw, 1, provenance, control)


def train_stage2(
    project: Project,
    network: str,
    normal: Sequence[NormalCase],
    provenance: dict[str, str],
    control: Control,
) -> None:
    """Go on from stage 1's network with what it finds in the real volumes (`selftraining`): our guess.

    Args:
        project: where settings and stage 1's weights are.
        network: name of the weights.
        normal: the train cases, as in stage 1.
        provenance: what the weights are made from, stage 1's among it.
        control: device, precision, wish to stop, ranks.

    Raises:
        MissingStage: when stage 1 is not trained.
        BadInput: when stage 1 finds a tumour in no case, or no case has a normal slice.
        Stopped: when asked to stop; the state is saved.
    """
    settings = _settings(project)
    module = _network(settings, project.settings.seed, control)
    project.checkpoint(STAGE1).load(module)
    brains = _brains(project, normal)
    decomposer = Decomposer(module.eval(), settings.grid, control)
    answers = trusted_answers(decomposer, brains, settings)
    draw = self_training_from(brains, settings, _grounds(brains), answers)
    _train(project, module, network, draw, 2, provenance, control)


def mapper(project: Project, network: str, control: Control) -> LayerMapper:
    """The maps of either network: its mask's probability."""
    return LayerMapper(project, network, control)


class LayerMapper:
    """Tumour probability (Z, Y, X) in [0, 1] of one image after the other; 0 outside the brain."""

    def __init__(self, project: Project, network: str, control: Control) -> None:
        """Load nothing yet."""
        self._project, self._network, self._control = project, network, control

    def load(self) -> None:
        """Load the network."""
        settings = _settings(self._project)
        module = build_network(settings.network, settings.channels)
        self._project.checkpoint(self._network).load(module)
        device = pick_device(self._control.device)
        module = module.to(device).to(memory_format=torch.channels_last_3d).eval()
        self._decomposer = Decomposer(module, settings.grid, self._control)

    def map(self, image: npt.NDArray[Any], spacing: Sequence[float], name: str) -> npt.NDArray[np.float32]:
        """The map of a stored image of that spacing (z, y, x) in mm; no draw depends on the name."""
        return self._decomposer.probability(image, spacing)


def _settings(project: Project) -> Sim2RealSettings:
    return project.settings.baselines.sim2real


def _network(settings: Sim2RealSettings, seed: int, control: Control) -> nn.Module:
    """The network before its first step, drawn from the seed."""
    torch.manual_seed(seed)
    module = build_network(settings.network, settings.channels)
    return module.to(pick_device(control.device)).to(memory_format=torch.channels_last_3d)


def _brains(project: Project, cases: Sequence[NormalCase]) -> BrainStore:
    return BrainStore(cases, _settings(project).grid, 1e9 * project.settings.training.memory_gb)


def _grounds(brains: Sequence[Brain]) -> list[int]:
    """The cases that a tumour can be put into; a lone normal slice of a scan is none on the grid."""
    found = [index for index in range(len(brains)) if brains[index].normal_slices.size]
    if not found:
        raise BadInput(f"None of the {len(brains)} train cases has a normal slice to put a tumour into.")
    return found


def _train(
    project: Project,
    module: nn.Module,
    network: str,
    draw: Draw,
    stage: int,
    provenance: dict[str, str],
    control: Control,
) -> None:
    """Train the network on what is drawn, at the pace of its stage, and save it."""
    settings, first = _settings(project), stage == 1
    ranks = share_batches(module, network, settings.batch_size, control)
    task = LayerTask(draw, stage, project.settings.seed, settings, ranks, control)
    choice = BestEpoch(task, module, _valid_brains(project) if first else [])
    epochs = settings.epochs if first else settings.stage2_epochs
    rate = settings.learning_rate if first else settings.stage2_learning_rate
    training: Training[Batch] = Training(
        name=network,
        settings=SECTION,
        schedule_section=SECTION,
        made_from=provenance,
        seed=project.settings.seed,
        module=module,
        optimiser=clipped_adam(module, rate, settings.weight_decay, settings.clip_norm),
        schedule=polynomial(epochs, settings.poly_power),
        extensible=False,
        epochs=epochs,
        batches=choice.batches,
        loss=task.loss,
        score=choice.score if len(choice.brains) else None,
        save_every=60 * project.settings.training.save_every_minutes,
        ranks=ranks,
    )
    fit(training, project.checkpoint(network), project.logs / f"{network}.csv", control)


def _valid_brains(project: Project) -> Sequence[Brain]:
    """The brains that choose the epoch; none keeps the last."""
    cases = project.cases(("valid",)) if _settings(project).select == "best" else []
    return _brains(project, [NormalCase(case, NOWHERE) for case in cases])


@dataclass
class BestEpoch:
    """Which epoch is kept: that whose layers recompose valid's images best, after the warm-up.

    No label is asked for. The original does so on the test images, among the first 30 epochs.

    Attributes:
        task: what is learned.
        module: the network under training.
        brains: of the valid split.
        epoch: the present one.
    """

    task: LayerTask
    module: nn.Module
    brains: Sequence[Brain]
    epoch: int = 0

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch."""
        self.epoch = epoch
        return self.task.batches(epoch)

    def score(self) -> float:
        """In (0, 1], higher is better; -1, which is never kept, during the warm-up."""
        if self.epoch < self.task.settings.warm_up:
            return -1.0
        return closeness(self.module, self.brains, self.task.control)


def clipped_adam(
    module: nn.Module, learning_rate: float, weight_decay: float, longest: float
) -> torch.optim.Optimizer:
    """Adam whose gradient is scaled down to the length ``longest`` before a step, where it is longer.

    The original does not clip, and its rate of 0.01 is hot.
    """
    parameters = list(module.parameters())
    optimiser = torch.optim.Adam(parameters, lr=learning_rate, weight_decay=weight_decay)

    def clip(*_: object) -> None:
        nn.utils.clip_grad_norm_(parameters, longest)

    optimiser.register_step_pre_hook(clip)
    return optimiser


STAGE1_ROW = MapRow("sim2real-stage1", train_stage1, mapper)
"""The method as it was released."""
STAGE2_ROW = MapRow("sim2real", train_stage2, mapper)
"""With self-training on real volumes, which was not released."""
