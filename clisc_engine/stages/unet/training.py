"""Training of the 3-D U-Net on pseudo-labels (paper sections 2.3 and 3.1): whether it is needed."""

from __future__ import annotations

from collections.abc import Sequence

from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.settings.presets import check_unet
from clisc_engine.stages import recipes
from clisc_engine.stages.requirements import refuse_lost_cases
from clisc_engine.training.state import why_train


def train_unet(
    project: Project,
    name: str,
    cases: Sequence[CaseArrays],
    control: Control,
) -> str:
    """Train a U-Net on its pseudo-labels of the train cases given.

    Valid cases among ``cases`` only choose the epoch, and only if ``unet.select`` is best. Round 2's
    network goes on from round 1's weights if ``s3f.start`` says so.

    Returns:
        Why it was trained; empty when it was fresh.

    Raises:
        BadInput: when the settings make no network that can be trained.
    """
    check_unet(project.settings)
    provenance = recipes.network(project, name, cases)
    extensible = recipes.is_extensible(recipes.unet_settings(project, name))
    reason = why_train(project.checkpoint(name), provenance, control, extensible=extensible)
    if reason and not control.dry_run:
        refuse_lost_cases(project, name)
        from clisc_engine.stages.unet.learning import learn

        learn(project, name, cases, provenance, control)
    return reason
