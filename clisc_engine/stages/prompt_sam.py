"""Step 4: regions of the maps prompt SAM; its masks are the pseudo-labels (paper section 2.2)."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clisc_engine.control import Control
from clisc_engine.embedding_cache import EmbeddingCache
from clisc_engine.fingerprint import fingerprint, settings_used
from clisc_engine.models.device import pick_device
from clisc_engine.models.sam import load_sam
from clisc_engine.project import CaseArrays, Project
from clisc_engine.runner import Arrays, Report, Work, run_cases
from clisc_engine.settings import PromptSettings, Settings
from clisc_engine.stages import recipes
from clisc_engine.stages.sam_answers import Prompter, SamSizes, region_of_interest

Prompters: TypeAlias = Callable[[CaseArrays, npt.NDArray[Any]], Prompter]
"""Gives a case, with its stored image, a prompter of its own."""


def prompt_sam(project: Project, control: Control) -> Report:
    """Make ``masks/sam`` (Z, Y, X) uint8 from ``cams/amda``."""
    return prompt_from_cam(project, control, project.settings.prompts, "masks/sam")


def prompt_from_cam(project: Project, control: Control, prompts: PromptSettings, array: str) -> Report:
    """SAM's masks for one kind of prompts, stored as ``array``."""
    settings = project.settings

    def load() -> Work:
        prompter_of = open_sam(project, control)

        def work(case: CaseArrays, arrays: Arrays) -> Arrays:
            image, cam = arrays["image"], arrays["cams/amda"]
            prompter = prompter_of(case, image)

            def answer(roi: np.ndarray) -> np.ndarray:
                return prompter.answer(roi, prompts, prompts.dilation)

            spacing = case.info.spacing
            return {array: answer(region_of_interest(cam, image != 0, spacing, settings.roi, answer))}

        return work

    recipe = recipes.sam_masks(settings, prompts, array, load)
    return run_cases(recipe, project.cases(control.splits), control)


def open_sam(project: Project, control: Control) -> Prompters:
    """Load the project's SAM onto the chosen device, for all cases of a run."""
    settings, chosen = project.settings, project.settings.sam
    device = pick_device(control.device)
    sam = load_sam(chosen.model, chosen.checkpoint, device, chosen.image_size)
    sizes = SamSizes.of(settings, control)
    folder = project.cache / "embeddings"
    kept = EmbeddingCache(folder, int(chosen.cache_gb * 1e9), control.progress.say)
    made_from = {
        **settings_used(settings, "window", "sam.equalise", "sam.image_size"),
        "sam": sam.digest,
        "arithmetic": f"{device.type} {control.precision}",
    }

    def prompter_of(case: CaseArrays, image: npt.NDArray[Any]) -> Prompter:
        seal = case.seal("image")
        key = fingerprint({**made_from, "image": seal.fingerprint if seal else ""})
        seed = case_seed(settings, case)
        return Prompter(sam, image, settings, control, sizes, kept, case.info.name, key, seed)

    return prompter_of


def case_seed(settings: Settings, case: CaseArrays) -> int:
    """A seed of this case alone, so that no draw depends on the order of the cases."""
    return settings.seed * 1_000_003 + zlib.crc32(case.info.name.encode())
