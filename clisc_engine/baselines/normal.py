"""Normal slices: what the anomaly methods learn from, and what gives their thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine.baselines.method import NormalCase
from clisc_engine.core.labelling import NORMAL
from clisc_engine.errors import BadInput
from clisc_engine.products.kinds import IMAGE, LABELS, REFERENCE
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.stages.classifier.slices import arrays_of


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
    found: list[NormalCase] = []
    for case, (image, *labels) in arrays_of(cases, arrays_asked(project), control):
        normal = normal_flags(project, case, image, *labels)
        if normal.any():
            found.append(NormalCase(case, normal))
    count = sum(int(one.normal.sum()) for one in found)
    said = f"{count} normal slices of {len(found)} of {len(cases)} cases"
    control.progress.say(f"{purpose}: {said} (baselines.normal = {project.settings.baselines.normal})")
    return found


def arrays_asked(project: Project) -> tuple[str, ...]:
    """The arrays of a case that `normal_flags` looks at."""
    return (IMAGE, LABELS) if project.settings.baselines.normal == "clip" else (IMAGE,)


def normal_flags(
    project: Project, case: CaseArrays, image: npt.NDArray[Any], *labels: npt.NDArray[np.uint8]
) -> npt.NDArray[np.bool_]:
    """Which slices (Z,) of a case are normal, by the arrays asked: image (Z, Y, X), labels (Z,)."""
    settings = project.settings.baselines
    area = np.count_nonzero(image, axis=(1, 2))
    normal: npt.NDArray[np.bool_] = area >= max(1.0, settings.min_area * float(area.max()))
    if labels:
        normal &= labels[0] == NORMAL
    elif settings.normal == "reference":
        normal &= ~_marked(project, case)
    return normal


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
        "clip": "CLIP calls too few slices normal: look at its labels in the page of "
        f"{project.store.home.in_words('report')}, lower baselines.min_area, or name healthy volumes "
        "with baselines.normal=cases",
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
