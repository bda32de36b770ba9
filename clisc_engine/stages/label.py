"""Step 1: CLIP says which slices show a tumour (paper section 2.1.1, eq. (1))."""

from __future__ import annotations

import numpy as np

from clisc_engine.core.labelling import Vote, slice_labels
from clisc_engine.models.clip import load_clip
from clisc_engine.products.kinds import LABELS, PROBABILITY
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.batch_size import BatchSize
from clisc_engine.running.control import Control
from clisc_engine.running.device import autocast, pick_device
from clisc_engine.running.runner import Arrays, Report, Work, run_cases
from clisc_engine.stages import recipes
from clisc_engine.stages.classifier.slices import windowed


def label(project: Project, control: Control) -> Report:
    """Give every slice a tumour probability and a label: 0 normal, 1 tumour, 255 uncertain.

    Makes ``labels/probability`` (Z,) float32 and ``labels/tumour`` (Z,) uint8 from ``image``.
    """
    settings = project.settings
    model = settings.label
    device = pick_device(control.device)

    def load() -> Work:
        clip = load_clip(model.model, model.pretrained, device)
        batch = BatchSize(control.batch_size or 32, "slices", control)
        text = clip.text_features(
            {"normal": settings.label.normal_prompts, "tumour": settings.label.tumour_prompts}
        )

        vote = Vote(settings.label.vote_reach, settings.label.vote_window, settings.label.vote_quorum)

        def work(case: CaseArrays, arrays: Arrays) -> Arrays:
            image = arrays["image"].astype(np.float32)
            has_brain = (image != 0).any(axis=(1, 2))
            probability = np.zeros(len(image), np.float32)
            slices = windowed(image, settings.window)
            shown = np.flatnonzero(has_brain)

            def ask(part: slice) -> None:
                with autocast(device, control.precision):
                    probability[shown[part]] = clip.probabilities(slices[shown[part]], text)

            batch.run(len(shown), ask)
            labels = slice_labels(
                probability,
                has_brain,
                confidence=settings.label.confidence,
                vote=vote.for_spacing(case.info.spacing[0]),
            )
            return {PROBABILITY: probability, LABELS: labels}

        return work

    return run_cases(recipes.array(settings, LABELS, load), project.cases(control.splits), control)
