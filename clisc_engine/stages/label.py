"""Step 1: CLIP says which slices show a tumour (paper section 2.1.1, eq. (1))."""

from __future__ import annotations

import numpy as np

from clisc_engine.core.brain import brain_of
from clisc_engine.models.slice_labels import labels_of, vote_of
from clisc_engine.products.kinds import IMAGE, LABELS, PROBABILITY
from clisc_engine.project.case_record import SPLITS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.batch_size import BatchSize
from clisc_engine.running.control import Control
from clisc_engine.running.device import autocast, pick_device
from clisc_engine.running.runner import Arrays, Report, run_cases
from clisc_engine.stages import recipes
from clisc_engine.stages.classifier.slices import windowed


def label(project: Project, control: Control, splits: tuple[str, ...] = SPLITS) -> Report:
    """Give every slice a tumour probability and a label: 0 normal, 1 tumour, 255 uncertain.

    Makes ``labels/probability`` (Z,) float32 and ``labels/tumour`` (Z,) uint8 from ``image``.
    """
    return run_cases(SliceLabels(project, control), project.cases(splits), control)


class SliceLabels:
    """CLIP's probability that a slice shows a tumour, and the label that follows, case by case."""

    def __init__(self, project: Project, control: Control) -> None:
        """Load nothing yet."""
        self.project, self.settings, self.control = project, project.settings, control
        self.spec = recipes.array(project.settings, LABELS)

    def load(self) -> None:
        """Load CLIP and encode the prompts."""
        from clisc_engine.models.clip_ensemble import load_ensemble

        asked = self.settings.label
        self._say_if_no_vote_holds()
        self.device = pick_device(self.control.device)
        prompts = {"normal": asked.normal_prompts, "tumour": asked.tumour_prompts}
        self.clips = load_ensemble(asked.clips(), prompts, self.device)
        self.batch = BatchSize(self.control.batch_size or 32, "slices", self.control)

    def _say_if_no_vote_holds(self) -> None:
        asked = self.settings.label
        spacings = {case.info.spacing[0] for case in self.project.cases()}
        if all(vote_of(asked, spacing).never_holds() for spacing in spacings):
            self.control.progress.say(
                "label: no vote of neighbours holds: label.vote_reach and label.vote_window give no more "
                f"voters than label.vote_quorum = {asked.vote_quorum}; lower it, or set label.vote_reach=0."
            )

    def run_case(self, case: CaseArrays, arrays: Arrays) -> Arrays:
        """Both arrays of labels, (Z,), of an image (Z, Y, X); slices without brain get 0."""
        image = arrays[IMAGE]
        has_brain = np.any(brain_of(image), axis=(1, 2))
        probability = np.zeros(len(image), np.float32)
        slices = windowed(image, self.settings.window)
        shown = np.flatnonzero(has_brain)

        def ask_clip(part: slice) -> None:
            with autocast(self.device, self.control.precision):
                probability[shown[part]] = self.clips.probabilities(slices[shown[part]])

        self.batch.run(len(shown), ask_clip)
        labels = labels_of(probability, has_brain, case.info.spacing[0], self.settings.label)
        return {PROBABILITY: probability, LABELS: labels}
