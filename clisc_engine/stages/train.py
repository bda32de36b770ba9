"""Step 5: round 1 of the segmentation network, on SAM's pseudo-labels (paper section 2.3)."""

from __future__ import annotations

import time

from clisc_engine.products.kinds import SAM_MASKS, UNET_ROUND1
from clisc_engine.project.project import Project
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Report, training_report
from clisc_engine.stages.requirements import refuse_a_choice, require, require_validation
from clisc_engine.stages.unet.training import train_unet


def train(project: Project, control: Control) -> Report:
    """Train ``unet-round1`` on ``masks/sam`` of the train split."""
    refuse_a_choice(control, "train", project.base.root)
    started = time.monotonic()
    cases = require(project, SAM_MASKS, splits=("train", "valid"))
    if project.settings.unet.select == "best":
        require_validation(project, SAM_MASKS, setting="unet.select")
    reason = train_unet(project, UNET_ROUND1, cases, control)
    return training_report("train", UNET_ROUND1, reason, control, started)
