"""Which masks to look at first: how far SAM and the final network agree on each case.

No reference is read here; those of the calibration were read when it was fitted.
"""

from __future__ import annotations

import time
from dataclasses import asdict

import numpy as np

from clisc_engine.core.filtering import s3f_similarity
from clisc_engine.core.labelling import TUMOUR
from clisc_engine.errors import MissingStage
from clisc_engine.products.kinds import LABELS, ROUND2, SAM_MASKS, UNET_ROUND2
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


def trust(project: Project, control: Control, splits: tuple[str, ...] = SPLITS) -> Report:
    """Tell how far the final mask of each case may be trusted; masks are made where they are lacking.

    What was told before and still holds is not told anew; `table.holding` gives all of it.

    Raises:
        MissingStage: when the final network is not trained yet.
        Stopped: when asked to stop; predictions that were made are kept.
    """
    started = time.monotonic()
    report = predict_cases(project, UNET_ROUND2, ROUND2, STEP, splits, control)
    if control.dry_run and report.planned:
        return report
    report = Report(STEP, failed=report.failed)
    before = control.ranks.share(lambda: {n: asdict(one) for n, one in table.holding(project).items()})
    todo: dict[str, CaseArrays] = {}
    for case in project.cases(splits):
        name = case.info.name
        if name in report.failed or (control.cases and name not in control.cases):
            continue
        if lacking := next((array for array in table.COMPARED if case.stamp(array) is None), ""):
            report.failed[name] = missing_message(case, lacking)
        elif name in before:
            report.fresh.append(name)
        else:
            todo[name] = case
            report.planned[name] = "not told yet, or its masks have changed"
    if report.failed and not report.fresh and not todo:
        raise MissingStage(next(iter(report.failed.values())))
    if todo and not control.dry_run:
        found, errors = spread(STEP, todo, lambda case: asdict(told(case)), control, unit="case")
        report.failed |= errors
        report.done = list(found)
        trusted = {name: Trusted(**entry) for name, entry in (before | found).items()}
        control.by_rank_0(lambda: table.keep(project, trusted))
    report.seconds = control.ranks.share(lambda: time.monotonic() - started)
    return report


def told(case: CaseArrays) -> Trusted:
    """How far one case's final mask may be trusted, from its arrays."""
    final = case.read(ROUND2)
    ill = bool(np.any(case.read(LABELS) == TUMOUR))
    return Trusted(
        made_from=table.made_from(case),
        agreement=s3f_similarity(final, case.read(SAM_MASKS), ill=ill),
        ml=float(np.count_nonzero(final) * np.prod(case.info.spacing) / 1000),
    )
