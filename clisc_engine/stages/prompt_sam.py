"""Step 4: regions of the maps prompt SAM; its masks are the pseudo-labels (paper section 2.2)."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clisc_engine.models.sam import load_sam
from clisc_engine.products.kinds import AMDA_MAPS, IMAGE, SAM_MASKS
from clisc_engine.project.embedding_cache import EmbeddingCache
from clisc_engine.project.fingerprint import fingerprint, settings_used
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.running.device import pick_device
from clisc_engine.running.runner import Arrays, Report, Work, run_cases
from clisc_engine.settings.schema import Settings
from clisc_engine.stages import recipes
from clisc_engine.stages.prompting.sam_masks import Prompter, SamSizes, region_of_interest

Prompters: TypeAlias = Callable[[CaseArrays, npt.NDArray[Any]], Prompter]
"""Gives a case, with its stored image, a prompter of its own."""


def prompt_sam(project: Project, control: Control) -> Report:
    """Make ``masks/sam`` (Z, Y, X) uint8 from ``cams/amda``."""
    return prompt_from_cam(project, control, SAM_MASKS)


def prompt_from_cam(project: Project, control: Control, array: str) -> Report:
    """SAM's masks for the kind of prompts that ``array`` stands for, stored as it."""
    settings = project.settings
    prompts = recipes.prompts_of(settings, array)

    def load() -> Work:
        prompter_of = open_sam(project, control)

        def work(case: CaseArrays, arrays: Arrays) -> Arrays:
            image, cam = arrays[IMAGE], arrays[AMDA_MAPS]
            prompter = prompter_of(case, image)

            def answer(roi: np.ndarray) -> np.ndarray:
                return prompter.answer(roi, prompts, prompts.dilation)

            spacing = case.info.spacing
            return {array: answer(region_of_interest(cam, image != 0, spacing, settings.roi, answer))}

        return work

    recipe = recipes.array(settings, array, load)
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
        seal = case.seal(IMAGE)
        key = fingerprint({**made_from, "image": seal.fingerprint if seal else ""})
        seed = case_seed(settings, case)
        return Prompter(sam, image, settings, control, sizes, kept, case.info.name, key, seed)

    return prompter_of


def case_seed(settings: Settings, case: CaseArrays) -> int:
    """A seed of this case alone, so that no draw depends on the order of the cases."""
    return settings.seed * 1_000_003 + zlib.crc32(case.info.name.encode())
