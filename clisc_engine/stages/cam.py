"""Step 2: a classifier trained on CLIP's labels, and its class activation maps (paper eq. (2))."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from clisc_engine.core import layercam
from clisc_engine.core.labelling import NORMAL, TUMOUR
from clisc_engine.imaging.window import square, unsquare
from clisc_engine.models.classifier import SliceClassifier
from clisc_engine.products.graph import ARRAYS
from clisc_engine.products.kinds import IMAGE, LABELS, RAW_MAPS
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.batch_size import BatchSize
from clisc_engine.running.control import Control
from clisc_engine.running.device import autocast, pick_device
from clisc_engine.running.runner import Arrays, Report, Work, run_cases
from clisc_engine.settings.schema import CamSettings
from clisc_engine.stages import recipes
from clisc_engine.stages.classifier.slices import windowed
from clisc_engine.stages.classifier.training import (
    LabelledSlices,
    batch_norm_frozen,
    labelled_slices,
    needs_training,
    new_classifier,
    train_classifier,
    training_cases,
)

Slices: TypeAlias = Callable[[Project, Sequence[CaseArrays], Control], LabelledSlices]
"""Gathers the labelled slices that a classifier learns from."""


def cam(project: Project, control: Control) -> Report:
    """Train ``classifier-raw`` on the train split; make ``cams/raw`` of the control's splits."""
    return train_and_map(project, RAW_MAPS, labelled_slices, control)


def train_and_map(project: Project, array: str, slices_of: Slices, control: Control) -> Report:
    """Train the classifier of the maps ``array`` where it is not fresh, then make them.

    The report's time is of both.
    """
    started = time.monotonic()
    classifier = ARRAYS[array].network
    cases = training_cases(project, classifier)
    origin = recipes.network(project, classifier, cases)
    reason = needs_training(project, classifier, origin, control)
    if reason and not control.dry_run:
        train = [case for case in cases if case.info.split == "train"]
        valid = [case for case in cases if case.info.split == "valid"]
        slices = slices_of(project, train, control)
        watched = labelled_slices(project, valid, control)
        train_classifier(project, classifier, origin, slices, watched, control)
    report = map_cases(project, array, control, reason)
    report.seconds = time.monotonic() - started
    return report


def map_cases(project: Project, array: str, control: Control, retrain: str) -> Report:
    """Make the class activation maps ``array`` of every case with their trained classifier.

    A map is (Z, Y, X) uint8, 255 standing for 1; slices that CLIP calls normal, or that the
    classifier does, are 0, and with ``cam.slices`` = "tumour" those that CLIP is uncertain of too.
    """
    checkpoint = Checkpoint(project.checkpoints, ARRAYS[array].network)
    trained = f"untrained: {retrain}" if control.dry_run and retrain else checkpoint.fingerprint()

    def load() -> Work:
        module = new_classifier(project, control)
        checkpoint.load(module)
        batch_norm_frozen(module)
        batch = BatchSize(control.batch_size or 32, "slices", control)

        def work(_case: CaseArrays, arrays: Arrays) -> Arrays:
            candidates = slices_to_map(arrays[LABELS], project.settings.cam)
            return {array: _maps(project, module, arrays[IMAGE], candidates, control, batch)}

        return work

    recipe = recipes.array(project.settings, array, load, trained=trained)
    return run_cases(recipe, project.cases(control.splits), control)


def slices_to_map(labels: npt.NDArray[np.uint8], settings: CamSettings) -> npt.NDArray[np.bool_]:
    """Which slices may get a map, (Z,), by CLIP's labels (Z,) of 0 normal, 1 tumour and 255 uncertain."""
    return labels == TUMOUR if settings.slices == "tumour" else labels != NORMAL


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
