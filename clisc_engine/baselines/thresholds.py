"""The threshold of a row's maps: one number for all, made on held-out train cases by no reference."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from clisc_engine.baselines import recipes
from clisc_engine.baselines.normal import arrays_asked, normal_flags
from clisc_engine.baselines.recipes import Threshold
from clisc_engine.core.labelling import TUMOUR, UNCERTAIN
from clisc_engine.core.roi import otsu_threshold
from clisc_engine.core.thresholds import agreeing
from clisc_engine.errors import BadInput
from clisc_engine.files.atomic import write_atomically
from clisc_engine.products.kinds import LABELS
from clisc_engine.products.rivals import map_of, threshold_of
from clisc_engine.project.fingerprint import fingerprint
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.stages.classifier.slices import arrays_of


def choose(project: Project, row: str, held_out: Sequence[CaseArrays], control: Control) -> None:
    """Choose the threshold of a row by the maps of the held-out cases, anew only if they changed.

    One rank chooses, and writes it where `recipes.threshold_value` finds it.

    Raises:
        BadInput: when the held-out cases cannot choose one.
    """
    mark = fingerprint(recipes.threshold_provenance(project, row, held_out))
    before = recipes.kept_threshold(project, row)
    if before is not None and before.fingerprint == mark:
        return
    rule = str(project.settings.baselines.threshold)
    chosen = _normal if rule == "normal" else _agreeing
    value, slices, cases = chosen(project, row, held_out, control)
    found = Threshold(value, rule, slices, cases, mark)
    control.check_may_write()
    path = project.root / threshold_of(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(asdict(found), indent=1).encode())
    by = f"{slices} slices of {cases} held-out cases"
    control.progress.say(f"{row}: threshold {value:.4g} by {by} (baselines.threshold = {rule})")


def of_volume(found: npt.NDArray[np.floating], brain: npt.NDArray[np.bool_]) -> float:
    """Otsu's threshold of one volume's map (Z, Y, X) over its brain, whatever the map's range."""
    inside = found[brain].astype(np.float64)
    if not inside.size:
        return 0.0
    low, high = float(inside.min()), float(inside.max())
    return low + (high - low) * otsu_threshold((inside - low) / (high - low)) if high > low else high


def _normal(
    project: Project, row: str, held_out: Sequence[CaseArrays], control: Control
) -> tuple[float, int, int]:
    """A percentile of the map over the brain of the held-out cases' normal slices."""
    values: list[npt.NDArray[np.float16]] = []
    slices = cases = 0
    for case, (found, image, *labels) in arrays_of(
        held_out, (map_of(row), *arrays_asked(project)), control
    ):
        normal = normal_flags(project, case, image, *labels)
        values.append(found[normal][image[normal] != 0])
        slices += int(normal.sum())
        cases += bool(normal.any())
    pooled = np.concatenate([np.zeros(0, np.float16), *values])
    if not pooled.size:
        raise BadInput(
            f"{row}: none of the {len(held_out)} held-out train cases has a normal slice, so there is no "
            "threshold; raise baselines.held_out, or set baselines.threshold to otsu or a value."
        )
    percentile = project.settings.baselines.percentile
    return float(np.percentile(pooled.astype(np.float32), percentile)), slices, cases


def _agreeing(
    project: Project, row: str, held_out: Sequence[CaseArrays], control: Control
) -> tuple[float, int, int]:
    """Where slices with something over it agree best with CLIP's labels."""
    maps: list[npt.NDArray[np.float16]] = []
    tumour: list[npt.NDArray[np.bool_]] = []
    for _, (found, labels) in arrays_of(held_out, (map_of(row), LABELS), control):
        certain = labels != UNCERTAIN
        maps.append(found[certain])
        tumour.append(labels[certain] == TUMOUR)
    areas = [float(np.prod(case.info.spacing[1:])) for case in held_out]
    try:
        value = agreeing(maps, tumour, areas)
    except ValueError as error:
        raise BadInput(
            f"{row}: {error} in the {len(held_out)} held-out train cases, so no threshold can agree with "
            "CLIP; raise baselines.held_out, or set baselines.threshold to normal, otsu or a value."
        ) from None
    return value, sum(len(one) for one in tumour), len(held_out)
