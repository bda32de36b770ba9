"""Normal slices: what the anomaly methods learn from, and the held-out cases that give their thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clisc_engine.baselines.method import NormalCase
from clisc_engine.core.labelling import NORMAL
from clisc_engine.errors import BadInput
from clisc_engine.products.kinds import IMAGE, LABELS, REFERENCE
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.stages.classifier.slices import arrays_of
from clisc_engine.stages.requirements import require

HELD_OUT_AT_MOST = 20
"""So many cases serve the threshold at most: a method that fits each one anew takes its time."""


@dataclass(frozen=True)
class Parts:
    """The train cases with normal slices, in two parts.

    Attributes:
        learnt: those that a method learns from.
        held_out: those that give its threshold, since maps of slices that were learned are too quiet.
    """

    learnt: list[CaseArrays]
    held_out: list[CaseArrays]


def parts(project: Project) -> Parts:
    """The two parts, drawn by the project's seed; no voxel is read.

    Raises:
        BadInput: when there are fewer than two such cases, or a named one is not in the train split.
        MissingStage: when train cases lack CLIP's labels.
    """
    settings = project.settings.baselines
    train = project.cases(("train",))
    if settings.normal == "cases":
        named = set(settings.normal_cases)
        if unknown := sorted(named - {case.info.name for case in train}):
            raise BadInput(
                f"baselines.normal_cases names {', '.join(unknown)}, which is not in the train split; "
                "`clisc status --cases` lists the cases."
            )
        cases = [case for case in train if case.info.name in named]
    elif settings.normal == "reference":
        cases = [case for case in train if case.info.has_reference]
        _refuse_if_few(cases, 'have a reference, and baselines.normal is "reference"')
    else:
        cases = require(train, LABELS, split="train")
    _refuse_if_few(cases, "can be used")
    count = min(HELD_OUT_AT_MOST, max(1, round(settings.held_out * len(cases))))
    order = np.random.default_rng(project.settings.seed).permutation(len(cases))
    chosen = set(order[:count].tolist())
    return Parts(
        [case for index, case in enumerate(cases) if index not in chosen],
        [case for index, case in enumerate(cases) if index in chosen],
    )


def normal_slices(
    project: Project, cases: Sequence[CaseArrays], control: Control, *, purpose: str
) -> list[NormalCase]:
    """Which slices of these cases are normal; cases without any are left out.

    Args:
        project: its ``baselines`` settings say what normal means.
        cases: of the train split.
        control: progress, and requests to stop.
        purpose: what the slices are for, in a few words for messages.

    Raises:
        BadInput: when there are fewer than ``baselines.min_slices`` among those that are learned from.
    """
    settings = project.settings.baselines
    found: list[NormalCase] = []
    names = (IMAGE, LABELS) if settings.normal == "clip" else (IMAGE,)
    for case, (image, *labels) in arrays_of(cases, names, control):
        area = np.count_nonzero(image, axis=(1, 2))
        normal = area >= max(1.0, settings.min_area * float(area.max()))
        if labels:
            normal &= labels[0] == NORMAL
        elif settings.normal == "reference":
            normal &= ~_marked(project, case)
        if normal.any():
            found.append(NormalCase(case, normal))
    count = sum(int(one.normal.sum()) for one in found)
    said = f"{count} normal slices of {len(found)} of {len(cases)} cases"
    control.progress.say(f"{purpose}: {said} (baselines.normal = {settings.normal})")
    return found


def check_enough(found: Sequence[NormalCase], project: Project, purpose: str) -> None:
    """Refuse to learn what is normal from a handful of slices.

    Raises:
        BadInput: naming the settings that decide.
    """
    settings = project.settings.baselines
    count = sum(int(one.normal.sum()) for one in found)
    if count >= settings.min_slices:
        return
    remedy = {
        "clip": "CLIP calls too few slices normal: look at its labels in `clisc report`, "
        "lower baselines.min_area, or name healthy volumes with baselines.normal=cases",
        "cases": "name more cases in baselines.normal_cases",
        "reference": "import more references with slices without tumour",
    }[settings.normal]
    raise BadInput(
        f"{purpose}: only {count} normal slices in the train split, and baselines.min_slices = "
        f"{settings.min_slices}; {remedy}."
    )


def _marked(project: Project, case: CaseArrays) -> npt.NDArray[np.bool_]:
    """Which slices (Z,) the reference marks; read because the settings ask for it."""
    reference = project.with_reference(case).read(REFERENCE)
    return np.asarray(reference.any(axis=(1, 2)), bool)


def _refuse_if_few(cases: Sequence[CaseArrays], what: str) -> None:
    if len(cases) < 2:
        raise BadInput(
            f"Only {len(cases)} train cases {what}; an anomaly method needs two at least, one to learn "
            "from and one for its threshold."
        )
