"""Training of the slice classifier on CLIP's labels, with or without AMDA's masked copies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from clisc_engine.core.labelling import UNCERTAIN
from clisc_engine.errors import BadInput
from clisc_engine.imaging.window import square
from clisc_engine.models.classifier import SliceClassifier, build_classifier
from clisc_engine.models.clip import load_clip
from clisc_engine.products.graph import NETWORKS
from clisc_engine.products.kinds import IMAGE, LABELS
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.running.device import pick_device
from clisc_engine.running.read_ahead import Ahead, read_ahead
from clisc_engine.stages import recipes
from clisc_engine.stages.classifier.slices import windowed
from clisc_engine.stages.requirements import require, require_watched
from clisc_engine.training.data_parallel import DataParallel, share_batches
from clisc_engine.training.loop import fit
from clisc_engine.training.state import why_train
from clisc_engine.training.training import Training, steps

SliceBatch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class LabelledSlices:
    """Slices with a certain label.

    Attributes:
        slices: (N, S, S) uint8, squared to the classifier's input size.
        labels: (N,) int64, 0 normal or 1 tumour.
        versions: how often each slice is here: once, or with AMDA also as its masked copy.
    """

    slices: Tensor
    labels: Tensor
    versions: int = 1

    def __len__(self) -> int:
        """How many slices."""
        return len(self.labels)

    def joined(self, other: LabelledSlices) -> LabelledSlices:
        """The union of both (the paper's augmented set)."""
        return LabelledSlices(
            torch.cat([self.slices, other.slices]),
            torch.cat([self.labels, other.labels]),
            self.versions + other.versions,
        )


def arrays_of(
    cases: Sequence[CaseArrays], names: Sequence[str], control: Control
) -> Iterator[tuple[CaseArrays, list[npt.NDArray[Any]]]]:
    """Each case with the arrays of these names, read ahead of its turn."""

    def read(case: CaseArrays) -> list[npt.NDArray[Any]]:
        return [case.read(name) for name in names]

    with closing(read_ahead(map(Ahead, cases), read, control)) as found:
        for case, arrays in found:
            control.check_stop()
            yield case, arrays()


def labelled_slices(project: Project, cases: Sequence[CaseArrays], control: Control) -> LabelledSlices:
    """All slices of the cases that hold brain and have a certain CLIP label."""
    size = project.settings.classifier.image_size
    slices: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    for _, (image, label) in arrays_of(cases, (IMAGE, LABELS), control):
        certain = (label != UNCERTAIN) & (image != 0).any(axis=(1, 2))
        slices.append(square(windowed(image, project.settings.window)[certain], size))
        labels.append(label[certain].astype(np.int64))
    empty = np.zeros((0, size, size), np.uint8)
    return LabelledSlices(
        torch.from_numpy(np.concatenate([empty, *slices]).astype(np.uint8)),
        torch.from_numpy(np.concatenate([np.zeros(0, np.int64), *labels])),
    )


def new_classifier(project: Project, control: Control) -> SliceClassifier:
    """The classifier before training, on its device; what is drawn comes from the project's seed."""
    settings = project.settings
    device = pick_device(control.device)
    clip = None
    if settings.classifier.backbone == "clip":
        clip = load_clip(settings.label.model, settings.label.pretrained, device)
    torch.manual_seed(settings.seed)
    pretrained = None if settings.classifier.pretrained == "none" else settings.classifier.pretrained
    return build_classifier(
        settings.classifier.backbone,
        pretrained=pretrained,
        clip=clip,
        head=settings.classifier.head,
        dropout=settings.classifier.dropout,
        image_size=settings.classifier.image_size,
    ).to(device)


def training_cases(project: Project, classifier: str) -> list[CaseArrays]:
    """The cases that a classifier's training reads: valid ones only where they choose the epoch.

    Raises:
        BadInput: when a split that it reads is empty.
        MissingStage: when one of its cases lacks what the classifier learns from.
    """
    array, watches = NETWORKS[classifier].inputs[-1], NETWORKS[classifier].watches
    cases = require(project.cases(("train",)), array, split="train")
    if "valid" not in recipes.splits_of(project.settings, classifier):
        return cases
    return cases + require_watched(project.cases(("valid",)), array, setting=watches)


def train_classifier(
    project: Project,
    name: str,
    origin: dict[str, str],
    slices: LabelledSlices,
    watched: LabelledSlices,
    control: Control,
) -> None:
    """Train ``classifier-raw`` or ``classifier-amda`` and save it; ``watched`` is the valid split.

    Raises:
        BadInput: when one of the two classes has no slice, or ``watched`` is needed and empty.
    """
    settings = project.settings.classifier
    _check_both_classes(slices)
    if settings.select == "best" and not len(watched):
        raise BadInput(
            "classifier.select = best chooses the epoch on CLIP's labels of the valid split, none of "
            "which is certain; set classifier.select=last, or lower label.confidence."
        )
    if len(slices) < settings.batch_size:
        control.progress.say(
            f"{name}: classifier.batch_size is {settings.batch_size}, but there are only {len(slices)} "
            "labelled slices; each step takes them all."
        )
    device = pick_device(control.device)
    module = new_classifier(project, control)
    ranks = share_batches(module, name, settings.batch_size, control)
    learner = _Learner(module, slices, project, device, ranks)
    training: Training[SliceBatch] = Training(
        name=name,
        settings="classifier",
        pace="classifier",
        made_from=origin,
        seed=project.settings.seed,
        module=module,
        optimiser=torch.optim.Adam(module.parameters(), lr=settings.learning_rate),
        schedule=steps(settings.decay_every),
        extensible=True,
        epochs=settings.epochs,
        batches=learner.batches,
        loss=learner.loss,
        score=(lambda: learner.accuracy(watched)) if settings.select == "best" else None,
        save_every=60 * project.settings.training.save_every_minutes,
        ranks=ranks,
    )
    checkpoint = Checkpoint(project.checkpoints, name)
    fit(training, checkpoint, project.logs / f"{name}.csv", control)


def needs_training(project: Project, name: str, origin: dict[str, str], control: Control) -> str:
    """Why the classifier has to be trained; empty when it is fresh."""
    return why_train(Checkpoint(project.checkpoints, name), origin, control, extensible=True)


@dataclass(frozen=True)
class _Learner:
    module: SliceClassifier
    data: LabelledSlices
    project: Project
    device: torch.device
    ranks: DataParallel

    def batches(self, epoch: int) -> Iterator[SliceBatch]:
        settings = self.project.settings.classifier
        generator = np.random.default_rng([self.project.settings.seed, epoch])
        order = generator.permutation(len(self.data))
        if settings.slices_per_epoch:
            order = order[: settings.slices_per_epoch * self.data.versions]
        for start in range(0, len(order), settings.batch_size):
            chosen = torch.from_numpy(order[start : start + settings.batch_size])
            if len(chosen) > 1 or len(order) == 1:
                slices = self.module.prepare(self.data.slices[chosen].to(self.device))
                if settings.augment:
                    slices = augment_slices(slices, generator)
                yield slices, self.data.labels[chosen].to(self.device)

    def loss(self, batch: SliceBatch) -> Tensor:
        slices, labels = batch
        return functional.cross_entropy(self.ranks.outputs(slices).float(), labels)

    def accuracy(self, data: LabelledSlices) -> float:
        right = 0
        for start in range(0, len(data), 64):
            logits = self.module(self.module.prepare(data.slices[start : start + 64].to(self.device)))
            right += int((logits.argmax(1).cpu() == data.labels[start : start + 64]).sum())
        return right / max(len(data), 1)


def augment_slices(slices: Tensor, generator: np.random.Generator) -> Tensor:
    """Flip, rotate by up to 15 degrees, scale and shift by up to 10 % each slice of (N, C, S, S).

    The border takes each slice's own corner value, which is background.
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


def batch_norm_frozen(module: nn.Module) -> nn.Module:
    """The module in evaluation mode without parameter gradients, as CAMs need it."""
    module.eval()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module
