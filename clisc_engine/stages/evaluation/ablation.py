"""The rows of Table 2 that need further SAM passes or a further training."""

from __future__ import annotations

from dataclasses import replace

from clisc_engine.products.kinds import SAM_BOX, SAM_POINTS, SAM_ROUND1, UNET_WITHOUT_S3F
from clisc_engine.project.project import Project
from clisc_engine.running.control import Control
from clisc_engine.stages.prompt_sam import prompt_from_cam
from clisc_engine.stages.requirements import require
from clisc_engine.stages.self_train import train_round2


def ablate(project: Project, control: Control, splits: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Make ``masks/sam-points``, ``masks/sam-box`` and the network trained with p = 0.

    Returns:
        Why each had to be made: the reason by case, by array or network.
    """
    planned: dict[str, dict[str, str]] = {}
    for array in (SAM_POINTS, SAM_BOX):
        planned[array] = prompt_from_cam(project, array, control, splits).planned
    everyone = require(project, SAM_ROUND1)
    # A training takes all cases, whichever are measured.
    reason = train_round2(project, UNET_WITHOUT_S3F, everyone, replace(control, cases=()))
    return {**planned, UNET_WITHOUT_S3F: {"": reason} if reason else {}}
