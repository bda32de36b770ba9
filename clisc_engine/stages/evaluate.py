"""Step 7: volume Dice and HD95 of every row of Table 2. The only step that opens the references.

Masks and references are compared on the whole grid of each case's own file.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from clisc_engine.core.brain import brain_of
from clisc_engine.errors import BadInput
from clisc_engine.files.collecting import collection_paused
from clisc_engine.imaging.placement import Placement, restore
from clisc_engine.products.declared import ROWS
from clisc_engine.products.graph import TABLES
from clisc_engine.products.kinds import (
    EVALUATION,
    ROUND1,
    ROUND2,
    UNET_ROUND1,
    UNET_ROUND2,
    UNET_WITHOUT_S3F,
    WITHOUT_S3F,
)
from clisc_engine.project.fingerprint import fingerprint
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.running.sharing import spread
from clisc_engine.running.spec import missing_message
from clisc_engine.stages.evaluation import tables as evaluation_tables
from clisc_engine.stages.evaluation.ablation import ablate
from clisc_engine.stages.evaluation.comparing import (
    TINY_NOTE,
    Mask,
    all_measured,
    compare,
    predict_lacking,
    to_measure,
)
from clisc_engine.stages.evaluation.leaks import leaks, told
from clisc_engine.stages.evaluation.own_masks import own_masks_in_words, with_notes
from clisc_engine.stages.evaluation.plan import nothing_to_evaluate, plan
from clisc_engine.stages.evaluation.renewal import renew_references
from clisc_engine.stages.evaluation.staleness import mark_rows
from clisc_engine.stages.evaluation.told import PAPER_ROWS, UNITS, lacking_rows
from clisc_engine.stages.prompting.regions import region_of_interest, without_sam
from clisc_engine.stages.recipes import evaluation_provenance, present_rows, why_not_measured
from clisc_engine.version import VERSION

NETWORKS_OF_ROWS = {UNET_ROUND1: ROUND1, UNET_ROUND2: ROUND2, UNET_WITHOUT_S3F: WITHOUT_S3F}
"""The networks whose predictions are made if they are lacking, and the arrays of these."""

OTSU_NOTE = (
    'With roi.threshold = "sam", cam-raw and cam-amda are measured at Otsu\'s threshold: which threshold '
    "agreed best with SAM's answers is not kept."
)


def evaluate(
    project: Project,
    control: Control,
    *,
    ablation: bool = False,
    splits: tuple[str, ...] = ("test",),
    seen: bool = False,
) -> dict[str, Any]:
    """Measure every row that the project's arrays allow, on cases that have a reference.

    Network predictions that are still lacking are made first; with ``ablation``, also the rows that
    need further SAM passes or a further training. A dry run makes and measures nothing. Cases that count
    as unseen though a network behind a row has learnt from them are left out and named under ``leaks``;
    with ``seen``, they are measured and named all the same.

    Returns:
        The document that ``clisc evaluate --json`` prints; it is also stored in the project, with
        the tables as CSV. DSC in percent, HD95 in mm. Cases that failed are left out of every row
        and named under ``failed``; those whose reference is empty stand under ``without_tumour`` and
        in no mean; rows made by other settings than today's are marked, and named under ``stale``.
        Of a dry run, `evaluation_plan.plan`'s document.

    Raises:
        BadInput: when no case of the splits has a reference, or all of them fail.
        MissingStage: when there is nothing to measure yet.
    """
    cases = to_measure(project, control, splits)
    renewed = control.ranks.share(lambda: renew_references(project, cases, control))
    first = ablate(project, control, splits) if ablation else {}
    predicted = predict_lacking(project, NETWORKS_OF_ROWS, control, splits)
    if control.dry_run:
        first |= {array: report.planned for array, report in predicted.items()}
        cases, _ = _without_leaks(project, cases, present_rows(cases), control, seen=seen)
        return plan(project, cases, first, control)
    glance = project.glance()  # nothing is made any more, and seals are asked for again and again
    cases = [replace(case, store=glance.store) for case in cases]
    failed = {name: why for report in predicted.values() for name, why in report.failed.items()}
    failed |= renewed["failed"]
    present = present_rows(cases)
    if not present:
        raise nothing_to_evaluate(project.store.home)
    cases, leaking = _without_leaks(project, cases, present, control, seen=seen)
    provenance = evaluation_provenance(project, cases, present)
    stored = control.ranks.share(lambda: evaluation_tables.load(project))
    doubts = control.ranks.share(lambda: own_masks_in_words(project, [case.info for case in cases]))
    same = stored is not None and stored["fingerprint"] == fingerprint(provenance)
    asked = {"splits": list(splits), "chosen": list(control.cases), "seen": seen, "leaks": leaking}
    if stored and same and not stored["failed"] and not control.force:
        control.progress.say("evaluation is up to date; nothing measured anew")
        document = with_notes({**stored, **asked}, doubts)
        return _marked(project, glance, document, control, before=stored)
    if stored and not same:
        control.progress.say(f"measured anew: {_why_anew(stored, cases, provenance)}")
    document = _measure(project, cases, present, failed, control)
    document["lacking"] = lacking_rows(document["rows"])
    document["notes"] = [*_notes(project, present), *renewed["notes"].values(), *doubts]
    document |= asked
    document["fingerprint"] = fingerprint(provenance)
    return _marked(project, project.glance(), document, control, before=None)


def _why_anew(stored: Mapping[str, Any], cases: Sequence[CaseArrays], provenance: Mapping[str, str]) -> str:
    """Why the ``stored`` evaluation is not the one that is asked for."""
    before = {entry["case"] for entry in stored["cases"]} | set(stored["failed"])
    if before != {case.info.name for case in cases}:
        return why_not_measured(stored["fingerprint"], provenance, otherwise="other cases than before")
    return why_not_measured(stored["fingerprint"], provenance)


def _without_leaks(
    project: Project, cases: list[CaseArrays], rows: Mapping[str, str], control: Control, *, seen: bool
) -> tuple[list[CaseArrays], dict[str, list[str]]]:
    """The cases that may be measured in these rows; and all that were learnt from, with the networks.

    Raises:
        BadInput: when none is left.
    """
    leaking = leaks(project, cases, rows.values())
    if seen or not leaking:
        return cases, leaking
    for sentence in told(leaking, project.store.home):
        control.progress.say(sentence)
    left = [case for case in cases if case.info.name not in leaking]
    if not left:
        raise BadInput(f"No case is left to measure: {told(leaking, project.store.home)[0]}")
    return left, leaking


def _marked(
    project: Project,
    glance: Project,
    document: dict[str, Any],
    control: Control,
    before: dict[str, Any] | None,
) -> dict[str, Any]:
    """The document with each row marked by the settings of now; kept unless it is, with all its files."""

    def mark_and_keep() -> dict[str, Any]:
        with collection_paused():
            marked = mark_rows(glance, document, ROWS)
        if marked != before or evaluation_tables.lost_files(project.results, marked):
            control.check_may_write()
            evaluation_tables.save(project, marked)
        return marked

    return control.ranks.share(mark_and_keep)


def _measure(
    project: Project,
    cases: Sequence[CaseArrays],
    rows: dict[str, str],
    failed: dict[str, str],
    control: Control,
) -> dict[str, Any]:
    """The document; all rows are over the same cases, those that have all arrays and do not fail.

    ``failed`` has those that failed before this, and gets the others.
    """
    started = time.monotonic()
    for case in cases:
        for array in rows.values():
            if case.stamp(array) is None:
                failed.setdefault(case.info.name, missing_message(case, array))
    by_name = {case.info.name: case for case in cases if case.info.name not in failed}
    by_case, errors = spread(
        "evaluate", by_name, lambda case: measure_case(project, case, rows), control, unit="case"
    )
    failed |= errors
    measured = all_measured(by_case, failed)
    weights = project.settings.made_with
    return {
        "revision": TABLES[EVALUATION].revision,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "version": VERSION,
        "weights": weights,
        "note": TINY_NOTE if weights == "tiny" else "",
        "map_threshold": without_sam(project.settings.roi).threshold,
        "units": dict(UNITS),
        "rows": [
            {**row, "paper_row": PAPER_ROWS[row["name"]]}
            for row in evaluation_tables.summarise_rows(measured, list(rows))
        ],
        "groups": evaluation_tables.summarise_groups(measured, list(rows)),
        "without_tumour": evaluation_tables.summarise_without_tumour(measured, list(rows)),
        "cases": measured,
        "failed": failed,
        "seconds": round(time.monotonic() - started, 3),
    }


def measure_case(project: Project, case: CaseArrays, rows: dict[str, str]) -> list[dict[str, Any]]:
    """What a table's entries hold of one case, a row each; ``rows`` names the array of each row."""
    placement = Placement.from_dict(case.info.placement)
    reference = project.references.read(case.info) != 0
    roi = without_sam(project.settings.roi)

    @functools.cache
    def brain() -> Mask:
        return brain_of(case.read("image"))

    def measured(array: str) -> Mask:
        data = case.read(array)
        if array.startswith("cams/"):
            data = region_of_interest(data, brain(), case.info.spacing, roi)
        return restore(data != 0, placement)

    return [
        compare(case.info.name, row, measured(array), reference, placement.source.spacing)
        for row, array in rows.items()
    ]


def _notes(project: Project, rows: dict[str, str]) -> list[str]:
    by_otsu = project.settings.roi.threshold == "sam" and any(a.startswith("cams/") for a in rows.values())
    return [OTSU_NOTE] if by_otsu else []
