"""How a U-Net learns from pseudo-labels: patches, loss, validation (paper sections 2.3 and 3.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from clisc_engine.core.overlap import dice
from clisc_engine.errors import BadInput
from clisc_engine.models.augmentation import Patch, Patches
from clisc_engine.models.bundled_unet import load_bundled_unet
from clisc_engine.models.losses import Loss, segmentation_loss
from clisc_engine.models.segmenter import Segmenter
from clisc_engine.models.unet import build_unet
from clisc_engine.products.graph import NETWORKS
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.running.device import pick_device
from clisc_engine.settings.schema import UnetSettings
from clisc_engine.stages import recipes
from clisc_engine.stages.unet.nothing_marked import why_nothing_marked
from clisc_engine.stages.unet.volumes import Volumes
from clisc_engine.training.data_parallel import DataParallel, share_batches
from clisc_engine.training.loop import fit
from clisc_engine.training.training import Training, polynomial

PatchBatch = tuple[Tensor, Tensor]


def learn(
    project: Project,
    name: str,
    cases: Sequence[CaseArrays],
    provenance: dict[str, str],
    control: Control,
) -> None:
    """Train the U-Net ``name``, as `training.train_unet` says, and save it.

    Args:
        project: where settings, volumes and weights are.
        name: of the network.
        cases: train cases to learn from, valid ones to choose the epoch by.
        provenance: what the network is made from.
        control: device, precision, wish to stop, ranks.
    """
    checkpoint = project.checkpoint(name)
    labels = NETWORKS[name].inputs[-1]
    settings = recipes.unet_settings(project, name)
    start = recipes.start_of(project, name)
    module = _network(settings, project.settings.seed, start, pick_device(control.device))
    limit = 1e9 * project.settings.training.memory_gb
    train_cases = [case for case in cases if case.info.split == "train"]
    volumes = Volumes(train_cases, labels, settings.spacing, limit, control)
    if volumes.none_marked():
        raise BadInput(why_nothing_marked(train_cases, labels))
    _say_if_patches_are_few(name, len(volumes), settings, control)
    ranks = share_batches(module, name, settings.batch_size, control)
    task = SegmentationTask.of(module, volumes, settings, project.settings.seed, control, ranks)
    validation = [case for case in cases if case.info.split == "valid"]

    def score() -> float:
        return task.agreement(Volumes(validation, labels, settings.spacing, 0, control))

    training: Training[PatchBatch] = Training(
        name=name,
        settings="unet",
        schedule_section=recipes.schedule_section(project, name),
        made_from=provenance,
        seed=project.settings.seed,
        module=module,
        optimiser=_optimiser(settings, module),
        schedule=polynomial(settings.epochs, settings.poly_power),
        extensible=recipes.is_extensible(settings),
        epochs=settings.epochs,
        batches=task.batches,
        loss=task.loss,
        score=score if settings.select == "best" else None,
        save_every=60 * project.settings.training.save_every_minutes,
        ranks=ranks,
    )
    fit(training, checkpoint, project.logs / f"{name}.csv", control)


def _network(
    settings: UnetSettings, seed: int, start: Checkpoint | None, device: torch.device
) -> nn.Module:
    """The network before its first step: drawn from the seed, bundled, or with the weights of ``start``."""
    torch.manual_seed(seed)
    if start is not None:
        module = build_unet(settings.channels, settings.spacing)
        start.load(module)
    elif settings.start == "bundled":
        module = load_bundled_unet().train()
    else:
        module = build_unet(settings.channels, settings.spacing)
    # oneDNN and cuDNN train 3-D convolutions about twice as fast on channels-last data.
    return module.to(device).to(memory_format=torch.channels_last_3d)


def _say_if_patches_are_few(name: str, volumes: int, settings: UnetSettings, control: Control) -> None:
    patches = settings.patches_per_epoch or volumes * settings.patches_per_volume
    if patches < settings.batch_size:
        key = "unet.patches_per_epoch" if settings.patches_per_epoch else "unet.patches_per_volume"
        control.progress.say(
            f"{name}: unet.batch_size is {settings.batch_size}, but an epoch has only {patches} patches; "
            f"each step takes them all. Raise {key} for full batches."
        )


@dataclass(frozen=True)
class SegmentationTask:
    """What a U-Net learns: the patches of an epoch, their loss, and how well the network does.

    Attributes:
        segmenter: the network under training, and how it predicts.
        volumes: images and pseudo-labels.
        seed: of every draw, together with the epoch's number.
        patches: draws patches from a volume and augments them.
        criterion: loss of logits (B, 2, Z, Y, X) against labels (B, 1, Z, Y, X).
        ranks: those that share each batch.
    """

    segmenter: Segmenter
    volumes: Volumes
    seed: int
    patches: Patches
    criterion: Loss
    ranks: DataParallel

    @classmethod
    def of(
        cls,
        module: nn.Module,
        volumes: Volumes,
        settings: UnetSettings,
        seed: int,
        control: Control,
        ranks: DataParallel,
    ) -> SegmentationTask:
        """The task that the settings describe."""
        return cls(
            Segmenter.of(module, settings, control),
            volumes,
            seed,
            Patches(settings.patch, settings.patches_per_volume, settings.augment),
            segmentation_loss(settings.loss),
            ranks,
        )

    @property
    def settings(self) -> UnetSettings:
        """The network's."""
        return self.segmenter.settings

    def batches(self, epoch: int) -> Iterator[PatchBatch]:
        """The patches of an epoch in batches (B, 1, Z, Y, X); the last one may be smaller."""
        order = self._order(np.random.default_rng([self.seed, epoch]))
        self.patches.seed((self.seed * 1_000_003 + epoch) % 2**31)
        waiting: list[Patch] = []
        for volume in self.volumes.in_turn(order.tolist()):
            waiting += self.patches(Patch(volume["image"], volume["label"]))
            while len(waiting) >= self.settings.batch_size:
                yield self._collate(waiting[: self.settings.batch_size])
                waiting = waiting[self.settings.batch_size :]
        if waiting:
            yield self._collate(waiting)

    def _order(self, rng: np.random.Generator) -> npt.NDArray[np.intp]:
        """The volumes of an epoch: each once, or by turns until there are enough patches."""
        rounds = 1
        volumes = len(self.volumes)
        if self.settings.patches_per_epoch:
            visits = -(-self.settings.patches_per_epoch // self.settings.patches_per_volume)
            rounds, volumes = -(-visits // volumes), visits
        return np.concatenate([rng.permutation(len(self.volumes)) for _ in range(rounds)])[:volumes]

    def loss(self, batch: PatchBatch) -> Tensor:
        """The loss of one batch: patches (B, 1, Z, Y, X) and labels of the same shape; a scalar."""
        patches, labels = batch
        loss: Tensor = self.criterion(self.ranks.outputs(patches).float(), labels)
        return loss

    def agreement(self, volumes: Volumes) -> float:
        """Mean Dice of the network's masks with the pseudo-labels of other volumes, in [0, 1]."""
        every = volumes.in_turn(range(len(volumes)))  # on the network's grid already
        scores = [
            dice(self.segmenter.mask(volume["image"][0].numpy(), spacing), volume["label"][0].numpy())
            for volume, spacing in zip(every, volumes.spacings, strict=True)
        ]
        return float(np.mean(scores))

    def _collate(self, patches: list[Patch]) -> PatchBatch:
        images = torch.stack([patch.image for patch in patches]).float()
        labels = torch.stack([patch.label for patch in patches]).float()
        channels_last = images.to(self.segmenter.device, memory_format=torch.channels_last_3d)
        return channels_last, labels.to(self.segmenter.device)


def _optimiser(settings: UnetSettings, module: nn.Module) -> torch.optim.Optimizer:
    if settings.optimiser == "adamw":
        return torch.optim.AdamW(
            module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
    return torch.optim.SGD(
        module.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=False,
    )
