"""Step 1: CLIP says which slices show a tumour (paper section 2.1.1, eq. (1))."""

from __future__ import annotations

import numpy as np

from clisc_engine.control import Control
from clisc_engine.core.labelling import slice_labels
from clisc_engine.models.clip import load_clip
from clisc_engine.models.device import autocast, pick_device
from clisc_engine.project import CaseArrays, Project
from clisc_engine.runner import Arrays, Report, Work, run_cases
from clisc_engine.stages import recipes
from clisc_engine.stages.slices import windowed


def label(project: Project, control: Control) -> Report:
    """Give every slice a tumour probability and a label: 0 normal, 1 tumour, 255 uncertain.

    Makes ``labels/probability`` (Z,) float32 and ``labels/tumour`` (Z,) uint8 from ``image``.
    """
    settings = project.settings
    device = pick_device(control.device)

    def load() -> Work:
        clip = load_clip(settings.label.model, settings.label.pretrained, device)
        text = clip.text_features(
            {"normal": settings.label.normal_prompts, "tumour": settings.label.tumour_prompts}
        )

        def work(_case: CaseArrays, arrays: Arrays) -> Arrays:
            image = arrays["image"].astype(np.float32)
            has_brain = (image != 0).any(axis=(1, 2))
            probability = np.zeros(len(image), np.float32)
            slices = windowed(image, settings.window)
            batches = np.array_split(
                np.flatnonzero(has_brain), max(1, has_brain.sum() // (control.batch_size or 32))
            )
            for batch in batches:
                if len(batch):
                    with autocast(device, control.precision):
                        probability[batch] = clip.probabilities(slices[batch], text)
            labels = slice_labels(
                probability,
                has_brain,
                confidence=settings.label.confidence,
                reach=settings.label.vote_reach,
                window=settings.label.vote_window,
                quorum=settings.label.vote_quorum,
            )
            return {"labels/probability": probability, "labels/tumour": labels}

        return work

    return run_cases(recipes.label(settings, load), project.cases(control.splits), control)
