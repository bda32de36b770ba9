"""What `evaluate` measures: which cases, by which figures, and what is predicted before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine.core.metrics import hd95, size_groups
from clisc_engine.core.overlap import dice
from clisc_engine.errors import BadInput
from clisc_engine.files.words import listed, shell_word
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Report, run_cases
from clisc_engine.stages.unet.prediction import Predictions

Mask = npt.NDArray[np.bool_]

WITHOUT_TUMOUR = "no tumour"
"""Stands in the place of a size group where the reference is empty."""

TINY_NOTE = (
    "made with the bundled tiny models, which are for demos and tests; "
    "not comparable with the paper's figures"
)


def to_measure(project: Project, control: Control, splits: tuple[str, ...]) -> list[CaseArrays]:
    """The cases to measure: those of the splits with a reference, or those of them that are named.

    Raises:
        BadInput: when there is none.
    """
    everyone = project.cases(splits)
    if unknown := sorted(set(control.cases) - {case.info.name for case in everyone}):
        raise BadInput(_not_among(project, unknown, splits))
    asked = [case for case in everyone if not control.cases or case.info.name in control.cases]
    cases = [case for case in asked if case.info.has_reference]
    if not cases:
        raise BadInput(_no_reference_message(project, splits, control.cases))
    return cases


def _not_among(project: Project, names: Sequence[str], splits: Sequence[str]) -> str:
    elsewhere = {case.info.name: case.info.split for case in project.cases() if case.info.name in names}
    where = listed([f"{name} is in {split}" for name, split in elsewhere.items()], 5)
    hint = (
        f" {where}; `--splits {','.join(sorted({*elsewhere.values()}))}` measures there." if where else ""
    )
    return f"No case {', '.join(names)} in the {' or '.join(splits)} split.{hint}"


def predict_lacking(
    project: Project, networks: Mapping[str, str], control: Control, splits: tuple[str, ...]
) -> dict[str, Report]:
    """Make the predictions that are lacking, of those of the networks that are trained.

    Args:
        project: to be evaluated.
        networks: the array of each network's predictions.
        control: which cases.
        splits: and of which splits.

    Returns:
        What became of them, by array.
    """
    cases = project.cases(splits)
    return {
        array: run_cases(Predictions(project, network, array, "evaluate", control), cases, control)
        for network, array in networks.items()
        if project.checkpoint(network).made_from() is not None
    }


def compare(case: str, row: str, mask: Mask, reference: Mask, spacing: Sequence[float]) -> dict[str, Any]:
    """One case in one row; ``spacing`` is (x, y, z) in mm.

    Where there is no tumour, no overlap and no distance to it is defined: they are None.
    """
    ml = float(np.prod(spacing)) / 1000
    tumour = bool(reference.any())
    return {
        "case": case,
        "name": row,
        "dsc": 100 * dice(mask, reference) if tumour else None,
        "hd95": hd95(mask, reference, spacing[::-1]) if tumour else None,
        "empty": not mask.any(),
        "volume_ml": float(np.count_nonzero(reference) * ml),
        "predicted_ml": float(np.count_nonzero(mask) * ml),
    }


def all_measured(
    by_case: Mapping[str, Sequence[dict[str, Any]]], failed: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The entries of all cases, as `compare` gives them, each with the ``group`` of its case's size.

    Args:
        by_case: the entries of each case that was measured; its group is told among these cases.
        failed: why others were not, by case.

    Raises:
        BadInput: when none was measured.
    """
    measured = [entry for entries in by_case.values() for entry in entries]
    if not measured:
        name, message = next(iter(failed.items()))
        raise BadInput(f"None of the {len(failed)} cases can be measured; first {name}: {message}")
    volumes = {value["case"]: value["volume_ml"] for value in measured if value["volume_ml"]}
    groups = dict(zip(volumes, size_groups(list(volumes.values())), strict=True))
    for value in measured:
        value["group"] = groups.get(value["case"], WITHOUT_TUMOUR)
    return measured


def _no_reference_message(project: Project, splits: tuple[str, ...], named: Sequence[str]) -> str:
    if named:
        return f"No reference mask was given for {', '.join(named)}."
    elsewhere = sorted({c.info.split for c in project.cases() if c.info.has_reference})
    if elsewhere:
        there = project.store.home.in_words(f"evaluate --splits {elsewhere[0]}")
        return (
            f"No case of the {' or '.join(splits)} split has a reference mask; there are some in "
            f"{', '.join(elsewhere)}: try {there}."
        )
    return (
        "No case has a reference mask to evaluate against; add them with "
        f"`clisc init {shell_word(project.base.root)} --images IMAGES --references MASKS`, IMAGES "
        "being those that the project was made from."
    )
