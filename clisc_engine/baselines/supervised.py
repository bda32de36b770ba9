"""The fully supervised row: step 5's network on references instead of pseudo-labels (paper, Table 1).

Reads reference masks, by design. Only the label differs from `train`: network, loss, schedule,
augmentation, inference and largest component are those of the ``unet`` settings.
"""

from __future__ import annotations

import time

from clisc_engine.baselines.sam_reference import no_reference
from clisc_engine.errors import BadInput
from clisc_engine.products.kinds import REFERENCE
from clisc_engine.products.rivals import SUPERVISED, SUPERVISED_MASKS
from clisc_engine.project.project import Project
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Report, run_cases, training_report
from clisc_engine.stages.requirements import require_validation
from clisc_engine.stages.unet.prediction import Predictions
from clisc_engine.stages.unet.training import train_unet


def supervised(project: Project, control: Control, splits: tuple[str, ...]) -> Report:
    """Train ``baseline-supervised`` on the train split's references; predict the splits.

    Train cases without a reference are left out, and named.

    Raises:
        BadInput: when no train case has a reference.
    """
    started = time.monotonic()
    train = project.cases(("train",))
    having = [case for case in train if case.info.has_reference]
    if not having:
        raise BadInput(no_reference("supervised", ("train",), project.store.home))
    if lacking := [case.info.name for case in train if not case.info.has_reference]:
        control.progress.say(
            f"{SUPERVISED}: {len(lacking)} of {len(train)} train cases have no reference and are left out: "
            f"{', '.join(lacking[:5])}{' ...' if len(lacking) > 5 else ''}"
        )
    cases = [project.with_reference(case) for case in having]
    if project.settings.unet.select == "best":
        valid = require_validation(project, REFERENCE, setting="unet.select")
        cases += [project.with_reference(case) for case in valid]
    reason = train_unet(project, SUPERVISED, cases, control)
    report = training_report("baseline supervised", SUPERVISED, reason, control, started)
    if control.dry_run and reason:
        return report
    masks = Predictions(project, SUPERVISED, SUPERVISED_MASKS, "baseline supervised", control)
    predicted = run_cases(masks, project.cases(splits), control)
    report.done += predicted.done
    report.fresh += predicted.fresh
    report.failed, report.planned = predicted.failed, report.planned | predicted.planned
    report.seconds = time.monotonic() - started
    return report
