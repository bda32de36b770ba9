"""Step 4: regions of the maps prompt SAM; its masks are the pseudo-labels (paper section 2.2)."""

from __future__ import annotations

import zlib

import numpy as np

from clisc_engine.control import Control
from clisc_engine.models.device import pick_device
from clisc_engine.models.sam import SamModel, load_sam
from clisc_engine.project import CaseArrays, Project
from clisc_engine.runner import Arrays, Report, Work, run_cases
from clisc_engine.settings import PromptSettings, Settings
from clisc_engine.stages import recipes
from clisc_engine.stages.sam_answers import Prompter, SamSizes, region_of_interest


def prompt_sam(project: Project, control: Control) -> Report:
    """Make ``masks/sam`` (Z, Y, X) uint8 from ``cams/amda``."""
    return prompt_from_cam(project, control, project.settings.prompts, "masks/sam")


def prompt_from_cam(project: Project, control: Control, prompts: PromptSettings, array: str) -> Report:
    """SAM's masks for one kind of prompts, stored as ``array``."""
    settings = project.settings

    def load() -> Work:
        sam, sizes = open_sam(settings, control), SamSizes.of(settings, control)

        def work(case: CaseArrays, arrays: Arrays) -> Arrays:
            image, cam = arrays["image"], arrays["cams/amda"]
            prompter = Prompter(sam, image, settings, control, sizes, case_seed(settings, case))

            def answer(roi: np.ndarray) -> np.ndarray:
                return prompter.answer(roi, prompts, prompts.dilation)

            spacing = case.info.spacing
            return {array: answer(region_of_interest(cam, image != 0, spacing, settings.roi, answer))}

        return work

    recipe = recipes.sam_masks(settings, prompts, array, load)
    return run_cases(recipe, project.cases(control.splits), control)


def open_sam(settings: Settings, control: Control) -> SamModel:
    """The project's SAM on the chosen device."""
    return load_sam(settings.sam.model, settings.sam.checkpoint, pick_device(control.device))


def case_seed(settings: Settings, case: CaseArrays) -> int:
    """A seed of this case alone, so that no draw depends on the order of the cases."""
    return settings.seed * 1_000_003 + zlib.crc32(case.info.name.encode())
