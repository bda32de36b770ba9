"""Step 3: adaptive masking-based data augmentation, AMDA (paper section 2.1.2)."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import torch

from clisc_engine.core.labelling import TUMOUR, UNCERTAIN
from clisc_engine.core.masking import discriminative_region, mask_out, random_region
from clisc_engine.imaging.window import square
from clisc_engine.products.kinds import AMDA_MAPS, IMAGE, LABELS, RAW_MAPS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Report
from clisc_engine.stages.cam import train_and_map
from clisc_engine.stages.classifier.slices import windowed
from clisc_engine.stages.classifier.training import LabelledSlices, arrays_of, labelled_slices


def amda(project: Project, control: Control) -> Report:
    """Train ``classifier-amda`` on originals and masked copies; make ``cams/amda``."""
    return train_and_map(project, AMDA_MAPS, with_masked_copies, control)


def with_masked_copies(project: Project, cases: Sequence[CaseArrays], control: Control) -> LabelledSlices:
    """The labelled slices and their masked copies."""
    originals = labelled_slices(project, cases, control)
    return originals.joined(masked_copies(project, cases, control))


def masked_copies(project: Project, cases: Sequence[CaseArrays], control: Control) -> LabelledSlices:
    """A masked copy of every certain slice, with its label.

    Tumour slices lose the pixels of the brain whose CAM exceeds the (100 - t)-th percentile; normal
    slices lose a random region of comparable area. A tumour slice whose map is empty is copied as it is;
    their number is said.
    """
    size = project.settings.classifier.image_size
    copies: list[np.ndarray] = []
    labels: list[int] = []
    whole = tumours = 0
    for case, (image, maps, label) in arrays_of(cases, (IMAGE, RAW_MAPS, LABELS), control):
        brain, slices = image != 0, windowed(image, project.settings.window)
        rng = np.random.default_rng([project.settings.seed, zlib.crc32(case.info.name.encode())])
        certain = np.flatnonzero((label != UNCERTAIN) & brain.any(axis=(1, 2)))
        masked = [
            _masked(slices[z], maps[z], brain[z], int(label[z]), project.settings.amda.t, rng)
            for z in certain
        ]
        ill = label[certain] == TUMOUR
        tumours += int(ill.sum())
        whole += sum(np.array_equal(masked[i], slices[certain[i]]) for i in np.flatnonzero(ill))
        if masked:
            copies.append(square(np.stack(masked), size))
            labels += [int(label[z]) for z in certain]
    if whole and project.settings.amda.t:
        control.progress.say(
            f"amda: {whole} of {tumours} tumour slices have no map to mask by; their copies are not masked"
        )
    empty = np.zeros((0, size, size), np.uint8)
    return LabelledSlices(
        torch.from_numpy(np.concatenate([empty, *copies]).astype(np.uint8)),
        torch.tensor(labels, dtype=torch.int64),
    )


def _masked(
    slice_: np.ndarray,
    cam: np.ndarray,
    brain: np.ndarray,
    label: int,
    t: float,
    rng: np.random.Generator,
) -> np.ndarray:
    if label == TUMOUR:
        return mask_out(slice_, discriminative_region(cam / np.float32(255), brain, t))
    return mask_out(slice_, random_region(brain, round(brain.sum() * t / 100), rng))
