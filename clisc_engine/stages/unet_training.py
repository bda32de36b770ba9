"""Training of the 3-D U-Net on pseudo-labels, and its predictions (paper sections 2.3 and 3.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.transforms import Compose
from torch import Tensor, nn

from clisc_engine.batch_size import BatchSize
from clisc_engine.checkpoints import Checkpoint
from clisc_engine.control import Control
from clisc_engine.core.filtering import dice
from clisc_engine.core.roi import largest_component
from clisc_engine.data_parallel import DataParallel, share_batches
from clisc_engine.errors import BadInput
from clisc_engine.models.augmentation import patch_transform
from clisc_engine.models.device import pick_device
from clisc_engine.models.losses import segmentation_loss
from clisc_engine.models.unet import at_spacing, build_unet, predict_volume, resized
from clisc_engine.project import CaseArrays, Project
from clisc_engine.runner import Arrays, Report, Work, run_cases
from clisc_engine.settings import UnetSettings
from clisc_engine.stages import recipes
from clisc_engine.stages.unet_volumes import Volumes
from clisc_engine.training import Training, polynomial
from clisc_engine.training_loop import fit
from clisc_engine.training_state import why_train

PatchBatch = tuple[Tensor, Tensor]


def train_unet(
    project: Project,
    name: str,
    cases: Sequence[CaseArrays],
    labels: str,
    control: Control,
    start: Checkpoint | None = None,
) -> str:
    """Train a U-Net on the pseudo-labels ``labels`` of the train cases given.

    Valid cases among ``cases`` are only watched, and only if ``unet.select`` is best. It goes on from the
    weights of ``start``, with the epochs and the learning rate of ``s3f``; without, from random ones.

    Returns:
        Why it was trained; empty when it was fresh.
    """
    checkpoint = Checkpoint(project.checkpoints, name)
    origin = recipes.unet_origin(project, cases, labels, start)
    settings = project.settings.unet
    if start is not None:
        s3f = project.settings.s3f
        settings = settings.model_copy(update={"epochs": s3f.epochs, "learning_rate": s3f.learning_rate})
    extensible = settings.poly_power == 0
    reason = why_train(checkpoint, origin, control, extensible=extensible)
    if not reason or control.dry_run:
        return reason
    device = pick_device(control.device)
    torch.manual_seed(project.settings.seed)
    # oneDNN and cuDNN train 3-D convolutions about twice as fast on channels-last data.
    module = build_unet(settings.channels, settings.spacing)
    if start is not None:
        start.load(module)
    module = module.to(device).to(memory_format=torch.channels_last_3d)
    limit = 1e9 * project.settings.training.memory_gb
    learned = [case for case in cases if case.info.split == "train"]
    train = Volumes(learned, labels, settings.spacing, limit, control)
    _check_labels(train, labels)
    patches = settings.patches_per_epoch or len(train) * settings.patches_per_volume
    if patches < settings.batch_size:
        key = "unet.patches_per_epoch" if settings.patches_per_epoch else "unet.patches_per_volume"
        control.progress.say(
            f"{name}: unet.batch_size is {settings.batch_size}, but an epoch has only {patches} patches; "
            f"each step takes them all. Raise {key} for full batches."
        )
    watched = [case for case in cases if case.info.split == "valid"]
    ranks = share_batches(module, name, settings.batch_size, control)
    learner = _Learner(
        module,
        train,
        settings,
        project.settings.seed,
        device,
        patch_transform(tuple(settings.patch), settings.patches_per_volume, settings.augment),
        segmentation_loss(settings.loss),
        ranks,
    )
    training: Training[PatchBatch] = Training(
        name=name,
        settings="unet",
        pace="unet" if start is None else "s3f",
        made_from=origin,
        seed=project.settings.seed,
        module=module,
        optimiser=_optimiser(settings, module),
        schedule=polynomial(settings.epochs, settings.poly_power),
        extensible=extensible,
        epochs=settings.epochs,
        batches=learner.batches,
        loss=learner.loss,
        score=(lambda: learner.agreement(Volumes(watched, labels, settings.spacing, 0, control), control))
        if settings.select == "best"
        else None,
        save_every=60 * project.settings.training.save_every_minutes,
        ranks=ranks,
    )
    fit(training, checkpoint, project.logs / f"{name}.csv", control)
    return reason


def predict_cases(
    project: Project,
    network: str,
    array: str,
    stage: str,
    splits: tuple[str, ...],
    control: Control,
) -> Report:
    """Predict the cases of some splits with a trained U-Net; (Z, Y, X) uint8 masks."""
    settings = project.settings.unet
    checkpoint = Checkpoint(project.checkpoints, network)

    def load() -> Work:
        device = pick_device(control.device)
        module = build_unet(settings.channels, settings.spacing).to(device)
        checkpoint.load(module)
        module.eval()
        windows = BatchSize(settings.batch_size, "windows", control)

        def work(case: CaseArrays, arrays: Arrays) -> Arrays:
            spacing = case.info.spacing
            return {array: predict(module, arrays["image"], spacing, settings, windows, device)}

        return work

    recipe = recipes.predictions(project.settings, stage, array, network, checkpoint.fingerprint(), load)
    return run_cases(recipe, project.cases(splits), control)


def predict(
    module: nn.Module,
    image: npt.NDArray[Any],
    spacing: Sequence[float],
    settings: UnetSettings,
    windows: BatchSize,
    device: torch.device,
) -> npt.NDArray[np.uint8]:
    """The network's (Z, Y, X) mask of one volume of ``spacing`` (z, y, x) mm, inside the brain."""
    probability = tumour_probability(module, image, spacing, settings, windows, device)
    return mask_of(probability, image, settings)


def tumour_probability(
    module: nn.Module,
    image: npt.NDArray[Any],
    spacing: Sequence[float],
    settings: UnetSettings,
    windows: BatchSize,
    device: torch.device,
) -> npt.NDArray[np.float32]:
    """The network's (Z, Y, X) tumour probability of one volume of ``spacing`` (z, y, x) mm."""
    seen = at_spacing(image, spacing, settings.spacing)

    def predict_with(size: int) -> npt.NDArray[np.float32]:
        return predict_volume(
            module,
            seen,
            tuple(settings.patch),
            mode=settings.inference,
            overlap=settings.overlap,
            batch_size=size,
            device=device,
            precision=windows.control.precision,
        )

    with module.register_forward_pre_hook(lambda *_: windows.control.check_stop()):
        return resized(windows.attempt(predict_with), image.shape)


def mask_of(
    probability: npt.NDArray[np.float32], image: npt.NDArray[Any], settings: UnetSettings
) -> npt.NDArray[np.uint8]:
    """The (Z, Y, X) mask that a probability stands for, inside the brain."""
    mask = (probability > 0.5) & (image != 0)
    if settings.largest_component and mask.any():
        mask = largest_component(mask)
    return mask.astype(np.uint8)


@dataclass(frozen=True)
class _Learner:
    module: nn.Module
    volumes: Volumes
    settings: UnetSettings
    seed: int
    device: torch.device
    transform: Compose
    criterion: nn.Module
    ranks: DataParallel

    def batches(self, epoch: int) -> Iterator[PatchBatch]:
        order = self._order(np.random.default_rng([self.seed, epoch]))
        self.transform.set_random_state(seed=(self.seed * 1_000_003 + epoch) % 2**31)
        waiting: list[dict[str, Tensor]] = []
        for volume in self.volumes.in_turn(order.tolist()):
            waiting += self.transform(dict(volume))
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
        patches, labels = batch
        loss: Tensor = self.criterion(self.ranks.outputs(patches).float(), labels)
        return loss

    def agreement(self, volumes: Volumes, control: Control) -> float:
        windows = BatchSize(self.settings.batch_size, "windows", control)
        grid = self.settings.spacing or (1.0, 1.0, 1.0)  # the volumes are on the network's grid already
        scores = [
            dice(
                predict(self.module, v["image"][0].numpy(), grid, self.settings, windows, self.device),
                v["label"][0].numpy(),
            )
            for v in volumes.in_turn(range(len(volumes)))
        ]
        return float(np.mean(scores))

    def _collate(self, patches: list[dict[str, Tensor]]) -> PatchBatch:
        images = torch.stack([torch.as_tensor(p["image"]) for p in patches]).float()
        labels = torch.stack([torch.as_tensor(p["label"]) for p in patches]).float()
        channels_last = images.to(self.device, memory_format=torch.channels_last_3d)
        return channels_last, labels.to(self.device)


def _check_labels(volumes: Volumes, labels: str) -> None:
    if not any(bool(volume["label"].any()) for volume in volumes.in_turn(range(len(volumes)))):
        raise BadInput(
            f"All {len(volumes)} pseudo-labels {labels} of the train split are empty, so the network "
            "has nothing to learn; look at label.confidence and roi.threshold."
        )


def _optimiser(settings: UnetSettings, module: nn.Module) -> torch.optim.Optimizer:
    if settings.optimiser == "adamw":
        return torch.optim.AdamW(
            module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
    return torch.optim.SGD(
        module.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=False,
    )
