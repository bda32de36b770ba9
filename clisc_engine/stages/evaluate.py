"""Step 7: volume Dice and HD95 of every row of Table 2. The only stage that opens the references."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine.checkpoints import Checkpoint
from clisc_engine.control import Control
from clisc_engine.core.metrics import dsc, hd95, size_groups
from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.fingerprint import fingerprint
from clisc_engine.products.kinds import (
    ROUND1,
    ROUND2,
    UNET_ROUND1,
    UNET_ROUND2,
    UNET_WITHOUT_S3F,
    WITHOUT_S3F,
)
from clisc_engine.project import CaseArrays, Project
from clisc_engine.runner import missing_message, spread
from clisc_engine.stages import evaluation_tables
from clisc_engine.stages.ablation import ablate
from clisc_engine.stages.recipes import evaluation_origin, present_rows, why_not_measured
from clisc_engine.stages.sam_answers import region_of_interest
from clisc_engine.stages.unet_prediction import predict_cases

Mask = npt.NDArray[np.bool_]

TINY_NOTE = (
    "made with the bundled tiny models, which are for demos and tests; "
    "not comparable with the paper's figures"
)


def evaluate(
    project: Project,
    control: Control,
    *,
    ablation: bool = False,
    splits: tuple[str, ...] = ("test",),
) -> dict[str, Any]:
    """Measure every row that the project's arrays allow, on cases that have a reference.

    Network predictions that are still lacking are made first; with ``ablation``, also the rows that
    need further SAM passes or a further training.

    Returns:
        The document that ``clisc evaluate --json`` prints; it is also stored in the project, with
        the tables as CSV. DSC in percent, HD95 in mm. Cases that failed are left out of every row
        and named under ``failed``.

    Raises:
        BadInput: when no case of the splits has a reference, or all of them fail.
        MissingStage: when there is nothing to measure yet.
    """
    cases = [case for case in project.cases(splits) if case.info.has_reference]
    if not cases:
        raise BadInput(_no_reference_message(project, splits))
    if ablation:
        ablate(project, control, splits)
    failed = _predict(project, control, splits)
    present = present_rows(cases)
    if not present:
        raise MissingStage("There is nothing to evaluate yet; run `clisc label` and `clisc cam` first.")
    origin = evaluation_origin(project, cases, present)
    stored = control.ranks.share(lambda: evaluation_tables.load(project))
    same = stored is not None and stored["fingerprint"] == fingerprint(origin)
    if stored and same and not stored["failed"] and not control.force:
        control.progress.say("evaluation is up to date; nothing measured anew")
        return stored
    if stored and not same:
        control.progress.say(f"measured anew: {why_not_measured(stored['fingerprint'], origin)}")
    for case in cases:
        for array in present.values():
            if case.seal(array) is None:
                failed.setdefault(case.info.name, missing_message(case, array))
    whole = [case for case in cases if case.info.name not in failed]
    document = _measure(project, whole, present, failed, control)
    document["fingerprint"] = fingerprint(origin)
    if control.ranks.rank == 0:
        control.check_may_write()
        evaluation_tables.save(project, document)
    return document


def _predict(project: Project, control: Control, splits: tuple[str, ...]) -> dict[str, str]:
    """Make the predictions that are lacking; the errors of the cases that failed."""
    failed: dict[str, str] = {}
    for network, array in (
        (UNET_ROUND1, ROUND1),
        (UNET_ROUND2, ROUND2),
        (UNET_WITHOUT_S3F, WITHOUT_S3F),
    ):
        if Checkpoint(project.checkpoints, network).made_from() is not None:
            failed |= predict_cases(project, network, array, "evaluate", splits, control).failed
    return failed


def _measure(
    project: Project,
    cases: Sequence[CaseArrays],
    rows: dict[str, str],
    failed: dict[str, str],
    control: Control,
) -> dict[str, Any]:
    """The document, over the cases that do not fail here either; all rows are over the same cases."""
    started = time.monotonic()
    by_name = {case.info.name: case for case in cases}
    by_case, errors = spread(
        "evaluate", by_name, lambda case: _measure_case(project, case, rows), control, unit="case"
    )
    failed |= errors
    measured = [value for values in by_case.values() for value in values]
    if not measured:
        name, message = next(iter(failed.items()))
        raise BadInput(f"None of the {len(failed)} cases can be measured; first {name}: {message}")
    volumes = {value["case"]: value["volume_ml"] for value in measured}
    groups = dict(zip(volumes, size_groups(list(volumes.values())), strict=True))
    for value in measured:
        value["group"] = groups[value["case"]]
    weights = project.settings.weights
    return {
        "weights": weights,
        "note": TINY_NOTE if weights == "tiny" else "",
        "rows": evaluation_tables.summarise_rows(measured, list(rows)),
        "groups": evaluation_tables.summarise_groups(measured, list(rows)),
        "cases": measured,
        "failed": failed,
        "seconds": round(time.monotonic() - started, 3),
    }


def _measure_case(project: Project, case: CaseArrays, rows: dict[str, str]) -> list[dict[str, Any]]:
    reference = project.references.read(case.info) != 0
    volume = float(reference.sum() * np.prod(case.info.spacing) / 1000)
    masks = {row: _mask(project, case, array) for row, array in rows.items()}
    return [_compare(case, row, mask, reference, volume) for row, mask in masks.items()]


def _compare(case: CaseArrays, row: str, mask: Mask, reference: Mask, volume: float) -> dict[str, Any]:
    return {
        "case": case.info.name,
        "name": row,
        "dsc": 100 * dsc(mask, reference),
        "hd95": hd95(mask, reference, case.info.spacing),
        "empty": not mask.any(),
        "volume_ml": volume,
    }


def _mask(project: Project, case: CaseArrays, array: str) -> Mask:
    data = case.read(array)
    if not array.startswith("cams/"):
        return data != 0
    brain = case.read("image") != 0
    return region_of_interest(data, brain, case.info.spacing, project.settings.roi)


def _no_reference_message(project: Project, splits: tuple[str, ...]) -> str:
    elsewhere = sorted({c.info.split for c in project.cases() if c.info.has_reference})
    if elsewhere:
        return (
            f"No case of the {' or '.join(splits)} split has a reference mask; there are some in "
            f"{', '.join(elsewhere)}: try `clisc evaluate --splits {elsewhere[0]}`."
        )
    return "No case has a reference mask to evaluate against; give `clisc init` --references."
