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
from clisc_engine.project import CaseArrays, Project
from clisc_engine.stages import evaluation_tables, self_train, train
from clisc_engine.stages.ablation import ablate
from clisc_engine.stages.recipes import ROWS, evaluation_origin
from clisc_engine.stages.sam_answers import region_of_interest
from clisc_engine.stages.unet_training import predict_cases

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
        the tables as CSV. DSC in percent, HD95 in mm.

    Raises:
        BadInput: when no case of the splits has a reference.
        MissingStage: when there is nothing to measure yet.
    """
    cases = [case for case in project.cases(splits) if case.info.has_reference]
    if not cases:
        raise BadInput(_no_reference_message(project, splits))
    if ablation:
        ablate(project, control, splits)
    _predict(project, control, splits)
    present = {row: array for row, array in ROWS.items() if all(case.seal(array) for case in cases)}
    if not present:
        raise MissingStage("There is nothing to evaluate yet; run `clisc label` and `clisc cam` first.")
    origin = evaluation_origin(project, cases, list(present))
    stored = evaluation_tables.load(project)
    if stored and stored["fingerprint"] == fingerprint(origin) and not control.force:
        control.progress.say("evaluation is up to date; nothing measured anew")
        return stored
    document = _measure(project, cases, present, control)
    document["fingerprint"] = fingerprint(origin)
    evaluation_tables.save(project, document)
    return document


def _predict(project: Project, control: Control, splits: tuple[str, ...]) -> None:
    for network, array in (
        (train.NETWORK, "masks/round1"),
        (self_train.NETWORK, "masks/round2"),
        ("unet-without-s3f", "masks/without-s3f"),
    ):
        if Checkpoint(project.checkpoints, network).made_from() is not None:
            predict_cases(project, network, array, "evaluate", splits, control)


def _measure(
    project: Project, cases: Sequence[CaseArrays], rows: dict[str, str], control: Control
) -> dict[str, Any]:
    started = time.monotonic()
    measured: list[dict[str, Any]] = []
    volumes: list[float] = []
    control.progress.begin("evaluate", len(cases), "case")
    for case in cases:
        control.check_stop()
        reference = project.references.read(case.info) != 0
        volumes.append(float(reference.sum() * np.prod(case.info.spacing) / 1000))
        for row, array in rows.items():
            mask = _mask(project, case, array)
            measured.append(_compare(case, row, mask, reference, volumes[-1]))
        control.progress.advance(case.info.name)
    control.progress.end()
    groups = dict(zip([case.info.name for case in cases], size_groups(volumes), strict=True))
    for value in measured:
        value["group"] = groups[value["case"]]
    weights = project.settings.weights
    return {
        "weights": weights,
        "note": TINY_NOTE if weights == "tiny" else "",
        "rows": evaluation_tables.summarise_rows(measured, list(rows)),
        "groups": evaluation_tables.summarise_groups(measured, list(rows)),
        "cases": measured,
        "seconds": round(time.monotonic() - started, 3),
    }


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
