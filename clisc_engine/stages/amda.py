"""Step 3: adaptive masking-based data augmentation, AMDA (paper section 2.1.2)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from clisc_engine.core.brain import brain_of
from clisc_engine.core.labelling import TUMOUR
from clisc_engine.core.masking import Mask, discriminative_region, from_around, mask_out, random_region
from clisc_engine.core.seeds import case_generator
from clisc_engine.imaging.window import square
from clisc_engine.products.kinds import AMDA_MAPS, IMAGE, LABELS, RAW_MAPS
from clisc_engine.project.case_record import SPLITS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Report
from clisc_engine.stages.cam import train_and_map
from clisc_engine.stages.classifier.slices import (
    LabelledSlices,
    arrays_of,
    certain_slices,
    labelled_slices,
    windowed,
)

AROUND = 8.0
"""mm of the Gaussian by which ``amda.fill`` = "around" takes the brain's brightness into the region."""


def amda(
    project: Project, control: Control, splits: tuple[str, ...] = SPLITS, until: str = AMDA_MAPS
) -> Report:
    """Train ``classifier-amda`` on originals and masked copies; make ``cams/amda``, as `cam` does."""
    return train_and_map(project, AMDA_MAPS, with_masked_copies, control, splits, until)


def with_masked_copies(project: Project, cases: Sequence[CaseArrays], control: Control) -> LabelledSlices:
    """The labelled slices and their masked copies."""
    originals = labelled_slices(project, cases, control)
    return originals.joined(masked_copies(project, cases, control))


def masked_copies(project: Project, cases: Sequence[CaseArrays], control: Control) -> LabelledSlices:
    """A masked copy of every certain slice, with its label.

    Tumour slices lose the pixels of the brain whose CAM exceeds the (100 - t)-th percentile; normal
    slices lose a random region of comparable area. These pixels become black, as bright as the slice's
    brain is on average, or as the brain around the region is (``amda.fill``): a black region has an outline
    that nothing else in a brain has, and where it holds the whole tumour, that outline is all that is left
    to tell the slice by. A tumour slice whose map is empty is copied as it is; their number is said.
    """
    settings = project.settings
    size = settings.classifier.image_size
    copies: list[npt.NDArray[np.uint8]] = []
    labels: list[npt.NDArray[np.uint8]] = []
    unmasked = tumours = 0
    for case, (image, maps, label) in arrays_of(cases, (IMAGE, RAW_MAPS, LABELS), control):
        brain, slices = brain_of(image), windowed(image, settings.window)
        rng = case_generator(settings.seed, case.info.identity)
        certain = np.flatnonzero(certain_slices(image, label))
        fill = partial(filling, fill=settings.amda.fill, spacing=case.info.spacing[1:])
        regions = [_region(maps[z], brain[z], int(label[z]), settings.amda.t, rng) for z in certain]
        masked = [
            mask_out(slices[z], region, fill(slices[z], region, brain[z]))
            for z, region in zip(certain, regions, strict=True)
        ]
        with_tumour = np.flatnonzero(label[certain] == TUMOUR)
        tumours += len(with_tumour)
        unmasked += sum(not regions[i].any() for i in with_tumour)
        if masked:
            copies.append(square(np.stack(masked), size))
            labels.append(label[certain])
    if unmasked and settings.amda.t:
        control.progress.say(
            f"amda: {unmasked} of {tumours} tumour slices have no map to mask by; "
            "their copies are not masked"
        )
    return LabelledSlices.of(copies, labels, size)


def _region(
    cam: npt.NDArray[np.uint8], brain: Mask, label: int, t: float, rng: np.random.Generator
) -> Mask:
    """What one slice's masked copy loses; all (Y, X)."""
    if label == TUMOUR:
        return discriminative_region(cam / np.float32(255), brain, t)
    return random_region(brain, round(brain.sum() * t / 100), rng)


def filling(
    slice_: npt.NDArray[np.uint8], region: Mask, brain: Mask, *, fill: str, spacing: Sequence[float]
) -> int | npt.NDArray[np.uint8]:
    """What takes the place of the region: a value, or another slice (Y, X); ``spacing`` is (y, x) in mm."""
    if fill == "around":
        return from_around(slice_, region, brain, [AROUND / step for step in spacing])
    return round(float(slice_[brain].mean())) if fill == "mean" and brain.any() else 0
