"""What `evaluate` would do, for a dry run: nothing is measured, and nothing written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clisc_engine.errors import Home, MissingStage
from clisc_engine.products.declared import ROWS
from clisc_engine.products.kinds import UNET_WITHOUT_S3F, WITHOUT_S3F
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.stages.evaluation import document as evaluation_document
from clisc_engine.stages.evaluation.renewal import to_renew
from clisc_engine.stages.recipes import evaluation_provenance, present_rows, why_not_measured


def nothing_to_evaluate(home: Home) -> MissingStage:
    """That no row can be measured yet, with what makes one."""
    label, cam = home.in_words("label"), home.in_words("cam")
    message = f"There is nothing to evaluate yet; run {label} and {cam} first."
    return MissingStage(message, command="run --until cam", home=home)


FROM_ABLATION = {UNET_WITHOUT_S3F: WITHOUT_S3F}
"""The array that a network planned by ``--ablation`` would give."""


def plan(
    project: Project,
    cases: Sequence[CaseArrays],
    first: Mapping[str, Mapping[str, str]],
    control: Control,
) -> dict[str, Any]:
    """The plan as plain values.

    Args:
        project: to be evaluated.
        cases: to be measured.
        first: what would be made first: the reason by case, by array or network.
        control: whether the evaluation is forced.

    Returns:
        ``cases`` and ``rows`` by name; ``first`` without what is up to date; ``planned``, why it would be
        measured, empty when the stored evaluation is up to date.

    Raises:
        MissingStage: when there would be nothing to measure.
    """
    made = {product: dict(reasons) for product, reasons in first.items() if reasons}
    arrays = {*present_rows(cases).values(), *(FROM_ABLATION.get(product, product) for product in made)}
    rows = {row: array for row, array in ROWS.items() if array in arrays}
    if not rows:
        raise nothing_to_evaluate(project.store.home)
    return {
        "stage": "evaluate",
        "cases": [case.info.name for case in cases],
        "rows": list(rows),
        "first": made,
        "planned": why_measure(
            project,
            cases,
            made,
            control,
            evaluation_document.load(project.store),
            lambda stored: why_not_measured(
                stored["fingerprint"], evaluation_provenance(project, cases, present_rows(cases))
            ),
        ),
    }


def why_measure(
    project: Project,
    cases: Sequence[CaseArrays],
    made: Mapping[str, Mapping[str, str]],
    control: Control,
    stored: Mapping[str, Any] | None,
    why_stale: Callable[[Mapping[str, Any]], str],
) -> str:
    """Why a table would be measured; empty when the stored one is up to date.

    Args:
        project: to be measured.
        cases: those it is measured on.
        made: what would be made first.
        control: whether it is forced.
        stored: the document that is there.
        why_stale: why a stored document is not what would come out now.
    """
    if control.force:
        return "forced"
    if any(not problem for problem in to_renew(project, cases).values()):
        return "references of an older version are read again from their files"
    if made:
        return f"{', '.join(made)} would be made first"
    if not stored:
        return "not measured yet"
    if stored["failed"]:
        return f"{', '.join(stored['failed'])} could not be measured"
    return why_stale(stored)
