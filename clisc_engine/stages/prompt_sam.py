"""Step 4: regions of the maps prompt SAM; its masks are the pseudo-labels (paper section 2.2)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clisc_engine.core.brain import brain_of
from clisc_engine.core.reach import reach
from clisc_engine.core.roi import joined
from clisc_engine.products.kinds import AMDA_MAPS, IMAGE, SAM_MASKS
from clisc_engine.project.case_record import SPLITS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Arrays, Report, run_cases
from clisc_engine.stages import recipes
from clisc_engine.stages.prompting.regions import Mask, region_of_interest


def prompt_sam(project: Project, control: Control, splits: tuple[str, ...] = SPLITS) -> Report:
    """Make ``masks/sam`` (Z, Y, X) uint8 from ``cams/amda``."""
    return prompt_from_cam(project, SAM_MASKS, control, splits)


def prompt_from_cam(project: Project, array: str, control: Control, splits: tuple[str, ...]) -> Report:
    """SAM's masks for the kind of prompts that ``array`` stands for, stored as it."""
    return run_cases(MapMasks(project, array, control), project.cases(splits), control)


class MapMasks:
    """SAM's mask ``array`` for the region that the maps mark, of one case after the other."""

    def __init__(self, project: Project, array: str, control: Control) -> None:
        """Load nothing yet."""
        self.project, self.array, self.control = project, array, control
        self.prompts = recipes.prompts_of(project.settings, array)
        self.spec = recipes.array(project.settings, array)

    def load(self) -> None:
        """Load SAM, and the bundled network if it joins in."""
        from clisc_engine.stages.prompting.sam_masks import open_sam

        self.sam = open_sam(self.project, self.control)
        if self.prompts.region == "map+bundled":
            from clisc_engine.models.bundled_unet import bundled_segmenter

            self.network = bundled_segmenter(self.control)

    def run_case(self, case: CaseArrays, arrays: Arrays) -> Arrays:
        """The mask of an image (Z, Y, X) with its maps (Z, Y, X)."""
        image, cam, prompts = arrays[IMAGE], arrays[AMDA_MAPS], self.prompts
        prompter, brain = self.sam.prompter(case, image), brain_of(image)

        def predict_mask(roi: Mask) -> npt.NDArray[np.uint8]:
            return prompter.predict_mask(roi, prompts, prompts.dilation)

        settings = self.project.settings.roi
        roi = region_of_interest(cam, brain, case.info.spacing, settings, predict_mask)
        if self.prompts.region == "map":
            return {self.array: prompter.bordered(predict_mask(roi))}
        probability = self.network.probability(image, case.info.spacing)
        roi = joined(roi, (probability > 0.5) & brain)
        answer = predict_mask(roi)
        beyond = reach(answer != 0, np.where(roi, probability, 0), image)
        return {self.array: prompter.bordered(answer | beyond)}
