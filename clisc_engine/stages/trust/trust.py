"""Which masks to look at first: the agreement of the steps on each case, and the DSC it lets expect.

No reference is read here; those of the calibration were read when it was fitted.
"""

from __future__ import annotations

import time
from dataclasses import asdict

import numpy as np

from clisc_engine.core.trust import agreements
from clisc_engine.errors import MissingStage
from clisc_engine.products.kinds import (
    AMDA_MAPS,
    IMAGE,
    LABELS,
    ROUND1,
    ROUND2,
    SAM_MASKS,
    UNET_ROUND1,
    UNET_ROUND2,
)
from clisc_engine.project.case_record import SPLITS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Report
from clisc_engine.running.sharing import spread
from clisc_engine.running.spec import missing_message
from clisc_engine.stages.trust import table
from clisc_engine.stages.trust.table import Trusted
from clisc_engine.stages.unet.prediction import predict_cases

STEP = "trust"
PREDICTED = {ROUND1: UNET_ROUND1, ROUND2: UNET_ROUND2}
"""Masks that are made where they are lacking, and the networks that make them."""


def trust(project: Project, control: Control, splits: tuple[str, ...] = SPLITS) -> Report:
    """Tell how far the final mask of each case may be trusted; both rounds' masks are made where lacking.

    What was told before and still holds is not told anew; `table.holding` gives all of it.

    Raises:
        MissingStage: when a network is not trained yet.
        Stopped: when asked to stop; predictions that were made are kept.
    """
    started = time.monotonic()
    report = Report(STEP)
    for array, network in PREDICTED.items():
        predicted = predict_cases(project, network, array, STEP, splits, control)
        report.failed |= predicted.failed
        report.planned |= predicted.planned
    if control.dry_run and report.planned:
        return report
    everyone = project.cases(splits)
    cases = [case for case in everyone if not control.cases or case.info.name in control.cases]
    before = control.ranks.share(lambda: {n: asdict(one) for n, one in table.holding(project).items()})
    todo: dict[str, CaseArrays] = {}
    for case in cases:
        name = case.info.name
        if lacking := next((array for array in table.COMPARED if case.seal(array) is None), ""):
            report.failed.setdefault(name, missing_message(case, lacking))
        elif name in before:
            report.fresh.append(name)
        elif name not in report.failed:
            todo[name] = case
            report.planned[name] = "not told yet, or what it follows from changed"
    if report.failed and not report.fresh and not todo:
        raise MissingStage(next(iter(report.failed.values())))
    if todo and not control.dry_run:
        found, errors = spread(STEP, todo, lambda case: asdict(told(project, case)), control, unit="case")
        report.failed |= errors
        report.done = list(found)
        if control.ranks.rank == 0:
            control.check_may_write()
            table.keep(project, {name: Trusted(**entry) for name, entry in (before | found).items()})
        control.ranks.gather(None)
    report.seconds = control.ranks.share(lambda: time.monotonic() - started)
    return report


def told(project: Project, case: CaseArrays) -> Trusted:
    """How far one case's final mask may be trusted, from its arrays."""
    from clisc_engine.stages.prompting.regions import region_of_interest, without_sam

    brain, final = case.read(IMAGE) != 0, case.read(ROUND2) != 0
    roi = without_sam(project.settings.roi)
    region = region_of_interest(case.read(AMDA_MAPS), brain, case.info.spacing, roi)
    pseudo_label, round1 = case.read(SAM_MASKS) != 0, case.read(ROUND1) != 0
    found = agreements(final, pseudo_label, round1, region, case.read(LABELS))
    expected = table.calibration().expect(found)
    return Trusted(
        made_from=table.made_from(project, case),
        agreements=found,
        dsc=expected.dsc,
        low=expected.low,
        high=expected.high,
        ml=float(np.count_nonzero(final) * np.prod(case.info.spacing) / 1000),
    )
