"""`clisc evaluate --table1`: DSC and HD95 of every row of Table 1, each against CLISC.

Masks and references are compared as in Table 2, on the whole grid of each case's own file.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from clisc_engine.baselines.table1 import document as stored_document
from clisc_engine.baselines.table1 import tables
from clisc_engine.baselines.table1.notes import notes
from clisc_engine.baselines.table1.oracle import cut, oracle_thresholds
from clisc_engine.baselines.table1.paper import PAPER, TITLE
from clisc_engine.baselines.table1.plan import nothing_to_measure, plan, why_not_measured
from clisc_engine.baselines.table1.rows import Row, provenance, rows_of, seen_in_training
from clisc_engine.errors import BadInput
from clisc_engine.imaging.placement import Placement, restore
from clisc_engine.products.graph import TABLES
from clisc_engine.products.kinds import ROUND2, UNET_ROUND2
from clisc_engine.products.rivals import TABLE1
from clisc_engine.project.fingerprint import fingerprint
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running import journal
from clisc_engine.running.control import Control
from clisc_engine.running.sharing import spread
from clisc_engine.running.spec import missing_message
from clisc_engine.stages.evaluation.comparing import (
    TINY_NOTE,
    all_measured,
    compare,
    predict_lacking,
    to_measure,
)
from clisc_engine.stages.evaluation.leaks import leaks, told
from clisc_engine.stages.evaluation.own_masks import own_masks_in_words, with_notes
from clisc_engine.stages.evaluation.renewal import renew_references
from clisc_engine.stages.evaluation.tables import (
    summarise_groups,
    summarise_rows,
    summarise_without_tumour,
)


def run_table1(project: Project, control: Control, splits: tuple[str, ...] = ("test",)) -> dict[str, Any]:
    """`table1`, noted in the journal."""
    before = stored_document.load(project.store)
    with journal.entry(project, "evaluate --table1", control) as note:
        document = table1(project, control, splits=splits)
        note.worked = document != before
    return document


def table1(project: Project, control: Control, *, splits: tuple[str, ...] = ("test",)) -> dict[str, Any]:
    """Measure every row of Table 1 that at least half of the cases have, on cases with a reference.

    CLISC's predictions that are lacking are made first; no rival is run. A row is measured on the cases
    that have its mask; a case that lacks one is named under ``failed`` and left out of that row alone. A
    dry run makes and measures nothing.

    Returns:
        The document that ``clisc evaluate --table1 --json`` prints; it is also stored in the project, with
        the tables as CSV. DSC in percent, HD95 in mm. Of a dry run, `plan`'s document.

    Raises:
        BadInput: when no case of the splits has a reference, or none can be measured.
        MissingStage: when no row is there.
    """
    cases = to_measure(project, control, splits)
    renewed = control.ranks.share(lambda: renew_references(project, cases, control))
    predicted = predict_lacking(project, {UNET_ROUND2: ROUND2}, control, splits)
    if control.dry_run:
        first = {array: report.planned for array, report in predicted.items()}
        return plan(project, cases, first, control, splits)
    failed = {name: why for report in predicted.values() for name, why in report.failed.items()}
    failed |= renewed["failed"]
    rows, lacking = rows_of(project, cases, splits)
    if not rows:
        raise nothing_to_measure(project.store.home)
    leaking = leaks(project, cases, [row.array for row in rows])
    cases = [case for case in cases if case.info.name not in leaking]
    if not cases:
        raise BadInput(f"No case is left to measure: {told(leaking, project.store.home)[0]}")
    made_from = provenance(project, cases, rows)
    stored = control.ranks.share(lambda: stored_document.load(project.store))
    doubts = control.ranks.share(lambda: own_masks_in_words(project, [case.info for case in cases]))
    same = stored is not None and stored["fingerprint"] == fingerprint(made_from)
    if stored and same and not stored["failed"] and not control.force:
        control.progress.say("Table 1 is up to date; nothing measured anew")
        document = with_notes({**stored, "splits": list(splits)}, doubts)
        return stored if document == stored else _kept(project, document, control)
    if stored and not same:
        control.progress.say(f"measured anew: {why_not_measured(stored, made_from)}")
    document = _measure(project, cases, rows, failed, control)
    document |= {
        "splits": list(splits),
        "lacking": [asdict(row) for row in lacking],
        "notes": [
            *notes(rows, document["thresholds"], *seen_in_training(project, cases)),
            *renewed["notes"].values(),
            *told(leaking),
            *doubts,
        ],
        "fingerprint": fingerprint(made_from),
    }
    return _kept(project, document, control)


def _kept(project: Project, document: dict[str, Any], control: Control) -> dict[str, Any]:
    """The document, once its tables are written."""
    control.by_rank_0(lambda: tables.save(project, document))
    return document


def _measure(
    project: Project,
    cases: Sequence[CaseArrays],
    rows: Sequence[Row],
    failed: dict[str, str],
    control: Control,
) -> dict[str, Any]:
    started = time.monotonic()
    whole = [case for case in cases if case.info.name not in failed]
    thresholds = control.ranks.share(lambda: oracle_thresholds(project, rows, whole, control))
    shown = [row for row in rows if not row.is_oracle or row.name in thresholds]
    by_case, errors = spread(
        "evaluate --table1",
        {case.info.name: case for case in whole},
        lambda case: _measure_case(project, case, shown, thresholds),
        control,
        unit="case",
    )
    failed |= errors
    for case in whole:
        gone = [row.array for row in shown if not row.is_oracle and case.seal(row.array) is None]
        if gone and case.info.name not in failed:
            failed[case.info.name] = " ".join(missing_message(case, array) for array in gone)
    measured = all_measured(by_case, failed)
    weights = project.settings.made_with
    names = [row.name for row in shown]
    return {
        "revision": TABLES[TABLE1].revision,
        "weights": weights,
        "note": TINY_NOTE if weights == "tiny" else "",
        "paper_title": TITLE,
        "thresholds": thresholds,
        "rows": _summaries(measured, shown, thresholds),
        "groups": summarise_groups(measured, names),
        "without_tumour": summarise_without_tumour(measured, names),
        "cases": measured,
        "failed": failed,
        "seconds": round(time.monotonic() - started, 3),
    }


def _summaries(
    measured: Sequence[dict[str, Any]], rows: Sequence[Row], thresholds: dict[str, float]
) -> list[dict[str, Any]]:
    names = [row.name for row in rows]
    tests = tables.against_full(measured, names)
    found: list[dict[str, Any]] = []
    for row, summary in zip(rows, summarise_rows(measured, names), strict=True):
        paper = PAPER[row.name].plain() if row.name in PAPER else None
        own = {"title": row.title, "array": row.array, "label_free": row.label_free}
        further = {
            "threshold": thresholds.get(row.name),
            "against_full": tests.get(row.name),
            "paper": paper,
        }
        found.append({**summary, **own, **further})
    return found


def _measure_case(
    project: Project, case: CaseArrays, rows: Sequence[Row], thresholds: dict[str, float]
) -> list[dict[str, Any]]:
    placement = Placement.from_dict(case.info.placement)
    reference = project.references.read(case.info) != 0
    measured: list[dict[str, Any]] = []
    for row in (row for row in rows if case.seal(row.array) is not None):
        if row.is_oracle:
            mask = cut(project, case, row.array, thresholds[row.name])
        else:
            mask = (case.read(row.array) != 0).astype(np.uint8)
        whole = restore(mask, placement) != 0
        found = compare(case.info.name, row.name, whole, reference, placement.source.spacing)
        seal = case.seal(row.array)
        measured.append({**found, "fingerprint": seal.fingerprint if seal else ""})
    return measured
