"""Step 2: a classifier trained on CLIP's labels, and its class activation maps (paper eq. (2))."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from clisc_engine.core.brain import brain_of
from clisc_engine.core.labelling import NORMAL, TUMOUR
from clisc_engine.files.words import counted, listed
from clisc_engine.imaging.window import square, unsquare
from clisc_engine.models.finite import check_finite
from clisc_engine.products.graph import ARRAYS
from clisc_engine.products.kinds import IMAGE, LABELS, RAW_MAPS
from clisc_engine.project.case_record import SPLITS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.batch_size import BatchSize
from clisc_engine.running.control import Control
from clisc_engine.running.device import autocast, pick_device
from clisc_engine.running.runner import Arrays, Report, run_cases, training_report
from clisc_engine.settings.classifier import CamSettings
from clisc_engine.settings.presets import check_classifier
from clisc_engine.stages import recipes
from clisc_engine.stages.classifier.slices import LabelledSlices, labelled_slices, windowed
from clisc_engine.stages.requirements import refuse_lost_cases, training_cases
from clisc_engine.training.state import why_train

if TYPE_CHECKING:
    from clisc_engine.models.classifier import SliceClassifier

SlicesOf: TypeAlias = Callable[[Project, Sequence[CaseArrays], Control], LabelledSlices]
"""Gathers the labelled slices that a classifier learns from."""


def cam(
    project: Project, control: Control, splits: tuple[str, ...] = SPLITS, until: str = RAW_MAPS
) -> Report:
    """Train ``classifier-raw`` on the train split; make ``cams/raw``, unless it ends before."""
    return train_and_map(project, RAW_MAPS, labelled_slices, control, splits, until)


def train_and_map(
    project: Project,
    array: str,
    slices_of: SlicesOf,
    control: Control,
    splits: tuple[str, ...],
    until: str,
) -> Report:
    """Train the classifier of the maps ``array`` where it is not fresh, then make them.

    The report's time is of both; with the classifier's name for ``until``, no map is made.
    """
    check_classifier(project.settings)
    started = time.monotonic()
    classifier = ARRAYS[array].network
    cases = training_cases(project, classifier)
    provenance = recipes.network(project, classifier, cases)
    extensible = recipes.classifier_is_extensible(project.settings.classifier)
    reason = why_train(project.checkpoint(classifier), provenance, control, extensible=extensible)
    if reason and not control.dry_run:
        refuse_lost_cases(project, classifier)
        from clisc_engine.stages.classifier.training import train_classifier

        train = [case for case in cases if case.info.split == "train"]
        valid = [case for case in cases if case.info.split == "valid"]
        provenance |= recipes.own_file(project.settings.classifier)
        slices = slices_of(project, train, control)
        validation = labelled_slices(project, valid, control)
        train_classifier(project, classifier, provenance, slices, validation, control)
    if until == classifier:
        return training_report(ARRAYS[array].command, classifier, reason, control, started)
    maps = Maps(project, array, control, retrain=reason)
    report = run_cases(maps, project.cases(splits), control)
    if maps.blank:
        control.progress.say(
            _told_of_blank(maps, report, sum(case.info.split == "train" for case in cases))
        )
    report.seconds = time.monotonic() - started
    return report


def _told_of_blank(maps: Maps, report: Report, train: int) -> str:
    """Which cases have tumour slices by CLIP and maps that mark nothing, and what to do."""
    return (
        f"{report.stage}: of {counted(len(report.done), 'case')} the maps of {len(maps.blank)} mark "
        f"nothing, though CLIP calls slices of theirs a tumour: {listed(maps.blank, 5)}. The classifier, "
        f"which learned from {counted(train, 'train case')}, sees none there; more cases in train help "
        f"({maps.project.store.home.moving('train')})."
    )


class Maps:
    """The class activation maps ``array`` of one case after the other, by their trained classifier.

    A map is (Z, Y, X) uint8, 255 standing for 1. It is 0 on slices that CLIP or the classifier calls
    normal, outside the brain, and with ``cam.slices`` = "tumour" on slices that CLIP is uncertain of.
    """

    def __init__(self, project: Project, array: str, control: Control, *, retrain: str = "") -> None:
        """Look at the checkpoint, but load nothing yet.

        Args:
            project: the project.
            array: ``cams/raw`` or ``cams/amda``.
            control: device, precision and batch size.
            retrain: why a dry run would train the classifier first.
        """
        self.project, self.array, self.control = project, array, control
        self.checkpoint = project.checkpoint(ARRAYS[array].network)
        untrained = control.dry_run and retrain
        trained = f"untrained: {retrain}" if untrained else self.checkpoint.fingerprint()
        self.spec = recipes.array(project.settings, array, trained=trained)
        self.blank: list[str] = []  # cases with tumour slices whose maps mark nothing

    def load(self) -> None:
        """Load the classifier."""
        from clisc_engine.stages.classifier.training import frozen, new_classifier

        self.module = new_classifier(self.project, self.control)
        self.checkpoint.load(self.module)
        frozen(self.module)
        self.batch = BatchSize(self.control.batch_size or 32, "slices", self.control)

    def run_case(self, case: CaseArrays, arrays: Arrays) -> Arrays:
        """The maps of an image (Z, Y, X) with CLIP's labels (Z,)."""
        image, settings = arrays[IMAGE], self.project.settings
        brain = brain_of(image)
        candidates = slices_to_map(arrays[LABELS], settings.cam)
        chosen = np.flatnonzero(candidates & brain.any(axis=(1, 2)))
        slices = windowed(image, settings.window)
        maps = np.zeros(image.shape, np.uint8)

        def map_slices(part: slice) -> None:
            squared = square(slices[chosen[part]], settings.classifier.image_size)
            found = unsquare(slice_maps(self.module, squared, settings.cam, self.control), image.shape[1:])
            maps[chosen[part]] = np.rint(np.clip(found, 0, 1) * 255).astype(np.uint8)

        self.batch.run(len(chosen), map_slices)
        maps[~brain] = 0
        if (arrays[LABELS][chosen] == TUMOUR).any() and not maps.any():
            self.blank.append(case.info.name)
        return {self.array: maps}


def slices_to_map(labels: npt.NDArray[np.uint8], settings: CamSettings) -> npt.NDArray[np.bool_]:
    """Which slices may get a map, (Z,), by CLIP's labels (Z,) of 0 normal, 1 tumour and 255 uncertain."""
    return labels == TUMOUR if settings.slices == "tumour" else labels != NORMAL


def slice_maps(
    module: SliceClassifier, slices: npt.NDArray[np.uint8], settings: CamSettings, control: Control
) -> npt.NDArray[np.float32]:
    """Class activation maps (N, S, S) in [0, 1] of (N, S, S) slices; zero where no tumour is seen.

    One forward pass for the batch, and one backward pass down to the mapped layers only.

    Raises:
        BadInput: when what the classifier says is not finite.
    """
    import torch

    from clisc_engine.core import layercam

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
    seen = logits[:, TUMOUR] > logits[:, NORMAL]
    for values in (logits, *(m[seen] for m in maps)):
        check_finite(values.detach(), "The classifier")  # a map that is not finite is scaled to 0
    fused = layercam.fuse([m.detach() for m in maps], (slices.shape[1], slices.shape[2]))
    return (fused * seen[:, None, None]).cpu().numpy().astype(np.float32)
