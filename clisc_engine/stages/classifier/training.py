"""Training of the slice classifier on CLIP's labels, with or without AMDA's masked copies."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from clisc_engine.errors import BadInput
from clisc_engine.models.classifier import SliceClassifier, build_classifier
from clisc_engine.models.clip import load_clip
from clisc_engine.project.project import Project
from clisc_engine.running.control import Control
from clisc_engine.running.device import pick_device
from clisc_engine.settings.classifier import ClassifierSettings
from clisc_engine.stages import recipes
from clisc_engine.stages.classifier.slices import LabelledSlices
from clisc_engine.training.data_parallel import DataParallel, share_batches
from clisc_engine.training.loop import fit
from clisc_engine.training.training import Training, steps

SliceBatch = tuple[Tensor, Tensor]


def new_classifier(project: Project, control: Control) -> SliceClassifier:
    """The classifier before training, on its device; what is drawn comes from the project's seed."""
    settings = project.settings
    device = pick_device(control.device)
    clip = None
    if settings.classifier.backbone == "clip":
        clip = load_clip(*settings.label.clips()[0], device)
    torch.manual_seed(settings.seed)
    pretrained = None if settings.classifier.pretrained == "none" else settings.classifier.pretrained
    module = build_classifier(
        settings.classifier.backbone,
        pretrained=pretrained,
        clip=clip,
        head=settings.classifier.head,
        dropout=settings.classifier.dropout,
        image_size=settings.classifier.image_size,
    )
    # The activations follow the weights' layout, the one in which oneDNN convolves and torch normalises and
    # pools fastest: steps and maps take a tenth less with ResNet-50, a third less with CLIP's tower.
    return module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def train_classifier(
    project: Project,
    name: str,
    provenance: dict[str, str],
    slices: LabelledSlices,
    validation: LabelledSlices,
    control: Control,
) -> None:
    """Train ``classifier-raw`` or ``classifier-amda`` and save it; ``validation`` is the valid split.

    Raises:
        BadInput: when one of the two classes has no slice, or ``validation`` is needed and empty.
    """
    settings = project.settings.classifier
    _check_both_classes(slices)
    _check_validation(validation, settings)
    _say_if_slices_are_few(name, len(slices), settings, control)
    module = new_classifier(project, control)
    ranks = share_batches(module, name, settings.batch_size, control)
    task = ClassificationTask(module, slices, settings, project.settings.seed, ranks)
    training: Training[SliceBatch] = Training(
        name=name,
        settings="classifier",
        schedule_section="classifier",
        made_from=provenance,
        seed=project.settings.seed,
        module=module,
        optimiser=torch.optim.Adam(module.parameters(), lr=settings.learning_rate, fused=True),
        schedule=steps(settings.decay_every),
        extensible=recipes.classifier_is_extensible(settings),
        epochs=settings.epochs,
        batches=task.batches,
        loss=task.loss,
        score=(lambda: task.accuracy(validation)) if settings.select == "best" else None,
        save_every=60 * project.settings.training.save_every_minutes,
        ranks=ranks,
    )
    checkpoint = project.checkpoint(name)
    fit(training, checkpoint, project.logs / f"{name}.csv", control)


@dataclass(frozen=True)
class ClassificationTask:
    """What a classifier learns: the batches of an epoch, their loss, and how well it does.

    Attributes:
        module: the classifier under training, on its device.
        data: the slices to learn from.
        settings: batch size, augmentation and slices an epoch.
        seed: of every draw, together with the epoch's number.
        ranks: those that share each batch.
    """

    module: SliceClassifier
    data: LabelledSlices
    settings: ClassifierSettings
    seed: int
    ranks: DataParallel

    @property
    def device(self) -> torch.device:
        """The classifier's."""
        return next(self.module.parameters()).device

    def batches(self, epoch: int) -> Iterator[SliceBatch]:
        """The slices of an epoch (B, C, S, S) float32, as the network takes them, with labels (B,).

        A last batch of one slice is left out, since its own statistics are poor ones for batch
        normalisation; not where the settings ask for batches of one.
        """
        settings = self.settings
        generator = np.random.default_rng([self.seed, epoch])
        order = generator.permutation(len(self.data))
        order = order[: slices_an_epoch(settings, len(order) // self.data.versions) * self.data.versions]
        for start in range(0, len(order), settings.batch_size):
            chosen = torch.from_numpy(order[start : start + settings.batch_size])
            if len(chosen) > 1 or 1 in (len(order), settings.batch_size):
                slices = self.module.prepare(self.data.slices[chosen].to(self.device))
                if settings.augment:
                    slices = augment_slices(slices, generator)
                yield slices, self.data.labels[chosen].to(self.device)

    def loss(self, batch: SliceBatch) -> Tensor:
        """The cross entropy of one batch, a scalar."""
        slices, labels = batch
        return functional.cross_entropy(self.ranks.outputs(slices).float(), labels)

    def accuracy(self, data: LabelledSlices) -> float:
        """The share of other slices that the classifier labels as CLIP did, in [0, 1]."""
        right = 0
        for start in range(0, len(data), 64):
            logits = self.module(self.module.prepare(data.slices[start : start + 64].to(self.device)))
            right += int((logits.argmax(1).cpu() == data.labels[start : start + 64]).sum())
        return right / max(len(data), 1)


def slices_an_epoch(settings: ClassifierSettings, slices: int) -> int:
    """How many of so many slices an epoch takes; a batch at the least, if there are as many."""
    wanted = settings.slices_per_epoch or slices
    if settings.passes:
        share = math.ceil(settings.passes * slices / settings.epochs)
        wanted = min(wanted, max(share, settings.batch_size))
    return min(wanted, slices)


def augment_slices(slices: Tensor, generator: np.random.Generator) -> Tensor:
    """Flip, rotate by up to 15 degrees, scale and shift by up to 10 % each slice of (N, C, S, S).

    What lies beyond a slice's border takes the value of the nearest pixel on it.
    """
    n = len(slices)
    angle = torch.from_numpy(generator.uniform(-0.26, 0.26, n)).float()
    scale = torch.from_numpy(generator.uniform(0.9, 1.1, n)).float()
    flip = torch.from_numpy(generator.choice([-1.0, 1.0], n)).float()
    shift = torch.from_numpy(generator.uniform(-0.1, 0.1, (n, 2))).float()
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = [
        torch.stack([flip * cos, -sin, shift[:, 0]], 1),
        torch.stack([flip * sin, cos, shift[:, 1]], 1),
    ]
    grid = functional.affine_grid(torch.stack(rows, 1).to(slices), list(slices.shape), align_corners=False)
    moved = functional.grid_sample(slices, grid, padding_mode="border", align_corners=False)
    gain = torch.from_numpy(generator.uniform(0.8, 1.2, (n, 1, 1, 1))).to(slices)
    return moved * gain


def _check_both_classes(slices: LabelledSlices) -> None:
    positive = int(slices.labels.sum())
    if positive == 0 or positive == len(slices):
        which = "a tumour" if positive == 0 else "normal tissue"
        raise BadInput(
            f"CLIP labelled none of the {len(slices)} certain training slices as showing {which}, "
            "so there is nothing to tell apart; look at label.tumour_prompts, label.normal_prompts and "
            "label.confidence."
        )


def _check_validation(validation: LabelledSlices, settings: ClassifierSettings) -> None:
    if settings.select == "best" and not len(validation):
        raise BadInput(
            "classifier.select = best chooses the epoch on CLIP's labels of the valid split, none of "
            "which is certain; set classifier.select=last, or lower label.confidence."
        )


def _say_if_slices_are_few(name: str, count: int, settings: ClassifierSettings, control: Control) -> None:
    if count < settings.batch_size:
        control.progress.say(
            f"{name}: classifier.batch_size is {settings.batch_size}, but there are only {count} "
            "labelled slices; each step takes them all."
        )


def frozen(module: nn.Module) -> nn.Module:
    """The module in evaluation mode without parameter gradients, as CAMs need it."""
    module.eval()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module
