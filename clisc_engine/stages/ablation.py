"""The rows of Table 2 that need further SAM passes or a further training."""

from __future__ import annotations

from dataclasses import replace

from clisc_engine.control import Control
from clisc_engine.project import Project
from clisc_engine.settings import PromptSettings
from clisc_engine.stages.prompt_sam import prompt_from_cam
from clisc_engine.stages.requirements import require
from clisc_engine.stages.self_train import ANSWER, train_round2

WITHOUT_S3F = "unet-without-s3f"


def ablate(project: Project, control: Control, splits: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Make ``masks/sam-points``, ``masks/sam-box`` and the network trained with p = 0.

    Returns:
        Why each had to be made: the reason by case, by array or network.
    """
    planned: dict[str, dict[str, str]] = {}
    here = replace(control, splits=splits)
    prompts = project.settings.prompts.model_dump()
    for kind in ("points", "box"):
        variant = PromptSettings.model_validate({**prompts, "kind": kind})
        report = prompt_from_cam(project, here, variant, f"masks/sam-{kind}")
        planned[f"masks/sam-{kind}"] = report.planned
    everyone = require(project.cases(("train",)), ANSWER, split="train")
    reason = train_round2(project, WITHOUT_S3F, everyone, control)
    return {**planned, WITHOUT_S3F: {"": reason} if reason else {}}
