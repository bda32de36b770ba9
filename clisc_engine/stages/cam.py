"""Step 2: a classifier trained on CLIP's labels, and its class activation maps (paper eq. (2))."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from clisc_engine.batch_size import BatchSize
from clisc_engine.checkpoints import Checkpoint
from clisc_engine.control import Control
from clisc_engine.core import layercam
from clisc_engine.imaging.window import square, unsquare
from clisc_engine.models.classifier import SliceClassifier
from clisc_engine.models.device import autocast, pick_device
from clisc_engine.project import CaseArrays, Project
from clisc_engine.runner import Arrays, Report, Work, run_cases
from clisc_engine.stages import recipes
from clisc_engine.stages.classifier_training import (
    LabelledSlices,
    batch_norm_frozen,
    labelled_slices,
    needs_training,
    new_classifier,
    train_classifier,
    training_cases,
)
from clisc_engine.stages.slices import windowed

CLASSIFIER = "classifier-raw"
TUMOUR, UNCERTAIN = 1, 255


@dataclass(frozen=True)
class Step:
    """A classifier's training and its maps: `cam`'s, or `amda`'s.

    Attributes:
        stage: the command.
        classifier: the network's name.
        array: the maps it makes.
        needs: array that every train case must have.
        origin: all that the classifier is made from.
        slices: the labelled slices it learns from.
    """

    stage: str
    classifier: str
    array: str
    needs: str
    origin: Callable[[Project, Sequence[CaseArrays]], dict[str, str]]
    slices: Callable[[Project, Sequence[CaseArrays], Control], LabelledSlices]


def cam(project: Project, control: Control) -> Report:
    """Train ``classifier-raw`` on the train split; make ``cams/raw`` of the control's splits."""
    step = Step("cam", CLASSIFIER, "cams/raw", "labels/tumour", recipes.raw_origin, labelled_slices)
    return train_and_map(project, step, control)


def train_and_map(project: Project, step: Step, control: Control) -> Report:
    """Train the step's classifier where it is not fresh, then make its maps; the time is of both."""
    started = time.monotonic()
    cases = training_cases(project, step.needs)
    origin = step.origin(project, cases)
    reason = needs_training(project, step.classifier, origin, control)
    if reason and not control.dry_run:
        train = [case for case in cases if case.info.split == "train"]
        valid = [case for case in cases if case.info.split == "valid"]
        slices = step.slices(project, train, control)
        watched = labelled_slices(project, valid, control)
        train_classifier(project, step.classifier, origin, slices, watched, control)
    report = map_cases(project, step.classifier, step.array, step.stage, control, reason)
    report.seconds = time.monotonic() - started
    return report


def map_cases(
    project: Project, classifier: str, array: str, stage: str, control: Control, retrain: str
) -> Report:
    """Make the class activation maps of every case with a trained classifier.

    A map is (Z, Y, X) uint8, 255 standing for 1; slices that CLIP calls normal, or that the
    classifier does, are 0.
    """
    checkpoint = Checkpoint(project.checkpoints, classifier)
    trained = f"untrained: {retrain}" if control.dry_run and retrain else checkpoint.fingerprint()

    def load() -> Work:
        module = new_classifier(project, control)
        checkpoint.load(module)
        batch_norm_frozen(module)
        batch = BatchSize(control.batch_size or 32, "slices", control)

        def work(_case: CaseArrays, arrays: Arrays) -> Arrays:
            labels = arrays["labels/tumour"]
            candidates = (labels == TUMOUR) | (labels == UNCERTAIN)
            return {array: _maps(project, module, arrays["image"], candidates, control, batch)}

        return work

    recipe = recipes.maps(project.settings, stage, array, classifier, trained, load)
    return run_cases(recipe, project.cases(control.splits), control)


def _maps(
    project: Project,
    module: SliceClassifier,
    image: npt.NDArray[np.floating],
    candidates: npt.NDArray[np.bool_],
    control: Control,
    batch: BatchSize,
) -> npt.NDArray[np.uint8]:
    brain = image != 0
    chosen = np.flatnonzero(candidates & brain.any(axis=(1, 2)))
    slices = windowed(image, project.settings.window)
    maps = np.zeros(image.shape, np.uint8)

    def map_slices(part: slice) -> None:
        squared = square(slices[chosen[part]], project.settings.classifier.image_size)
        found = unsquare(slice_maps(project, module, squared, control), image.shape[1:])
        maps[chosen[part]] = np.rint(np.clip(found, 0, 1) * 255).astype(np.uint8)

    batch.run(len(chosen), map_slices)
    maps[~brain] = 0
    return maps


def slice_maps(
    project: Project, module: SliceClassifier, slices: npt.NDArray[np.uint8], control: Control
) -> npt.NDArray[np.float32]:
    """Class activation maps (N, S, S) in [0, 1] of (N, S, S) slices; zero where no tumour is seen.

    One forward pass for the batch, and one backward pass down to the mapped layers only.
    """
    settings = project.settings.cam
    device = pick_device(control.device)
    inputs = module.prepare(torch.from_numpy(slices).to(device))
    with autocast(device, control.precision):
        logits, features = module.forward_features(inputs, settings.layers)
    found = [features[layer] for layer in settings.layers]
    if settings.method == "cam":
        weights = module.class_weights()[TUMOUR]
        maps = [layercam.cam(found[-1].float(), weights)]
    else:
        gradients = torch.autograd.grad(logits[:, TUMOUR].float().sum(), found)
        weigh = layercam.layer_cam if settings.method == "layercam" else layercam.grad_cam
        maps = [weigh(a.float(), g.float()) for a, g in zip(found, gradients, strict=True)]
    fused = layercam.fuse([m.detach() for m in maps], (slices.shape[1], slices.shape[2]))
    seen = (logits[:, 1] > logits[:, 0]).float()[:, None, None]
    return (fused * seen).cpu().numpy().astype(np.float32)
