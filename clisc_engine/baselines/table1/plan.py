"""What `evaluate --table1` would do, for a dry run, and why: no voxel is read, and nothing written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from clisc_engine.baselines.table1 import document as stored_document
from clisc_engine.baselines.table1.rows import FULL, provenance, rows_of
from clisc_engine.errors import Home, MissingStage
from clisc_engine.products.rivals import TABLE1
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.stages import recipes
from clisc_engine.stages.evaluation.plan import why_measure


def nothing_to_measure(home: Home) -> MissingStage:
    """That no row of Table 1 can be measured yet, with what makes one."""
    otsu = home.in_words("baseline otsu")
    message = f"There is no row of Table 1 to measure yet; run {otsu} or another method first."
    return MissingStage(message, command="baseline otsu", home=home)


def plan(
    project: Project,
    cases: Sequence[CaseArrays],
    first: Mapping[str, Mapping[str, str]],
    control: Control,
    splits: tuple[str, ...],
) -> dict[str, Any]:
    """The plan as plain values, in the form of Table 2's.

    Args:
        project: to be evaluated.
        cases: to be measured.
        first: what would be made first: the reason by case, by array.
        control: whether the evaluation is forced.
        splits: the cases' splits.

    Returns:
        ``cases`` and ``rows`` by name; ``lacking`` rows with their commands; ``first`` without what is up
        to date; ``planned``, why it would be measured, empty when the stored table is up to date.

    Raises:
        MissingStage: when there would be nothing to measure.
    """
    made = {product: dict(reasons) for product, reasons in first.items() if reasons}
    rows, lacking = rows_of(project, cases, splits)
    names = [row.name for row in rows] + ([FULL] if made and all(r.name != FULL for r in rows) else [])
    if not names:
        raise nothing_to_measure(project.store.home)
    return {
        "stage": "evaluate --table1",
        "cases": [case.info.name for case in cases],
        "rows": names,
        "lacking": [asdict(row) for row in lacking if row.name not in names],
        "first": made,
        "planned": why_measure(
            project,
            cases,
            made,
            control,
            stored_document.load(project.store),
            lambda stored: why_not_measured(stored, provenance(project, cases, rows)),
        ),
    }


def why_stale(project: Project) -> str:
    """Why the stored table would come out otherwise now; empty when it would not, or there is none."""
    stored = stored_document.load(project.store)
    if not stored:
        return ""
    named = {entry["case"] for entry in stored["cases"]} | set(stored["failed"])
    cases = [case for case in project.cases() if case.info.name in named]
    rows, _ = rows_of(project, cases, stored["splits"])
    return why_not_measured(stored, provenance(project, cases, rows))


def why_not_measured(stored: Mapping[str, Any], made_from: Mapping[str, str]) -> str:
    """Why a stored table is not the one of ``made_from``; empty when it is."""
    return recipes.why_not_measured(
        stored["fingerprint"], made_from, TABLE1, "rows, masks or references changed"
    )
