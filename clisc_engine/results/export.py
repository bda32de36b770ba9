"""Masks for other tools, on the grids of the files that `init` read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.imaging.placement import Placement, restore
from clisc_engine.outputs.inputs import Inputs
from clisc_engine.outputs.outputs import Made, Outputs
from clisc_engine.products.graph import ARRAYS, MADE_BY, steps_behind
from clisc_engine.products.kinds import UNET_ROUND1, UNET_ROUND2
from clisc_engine.project.case_record import SPLITS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Report
from clisc_engine.stages.unet.prediction import predict_cases
from clisc_engine.upkeep.survey import survey

PREDICTED = {"round1": UNET_ROUND1, "round2": UNET_ROUND2}
"""Masks that a network predicts: they are made where they are lacking."""

WAY_OUT = "Choose another folder with -o, or replace masks that are no inputs or references with --force."


def export_masks(
    project: Project, masks: str, out: Path, control: Control, splits: tuple[str, ...] = SPLITS
) -> Report:
    """Write ``<case>_seg.nii.gz`` on each source's own grid for the masks named, e.g. ``round2``.

    A file that this version of clisc wrote there from the same mask stays, unless the control says force.

    Raises:
        MissingStage: when no case has such masks.
        BadInput: when the project knows no masks of this name; or, before anything is made, naming the
            files in the way that clisc did not write.
    """
    started = time.monotonic()
    report = Report("export masks")
    outputs = Outputs(Inputs.of_project(project), WAY_OUT, force=control.force)
    outputs.check(out / _file_name(case) for case in cases_to_come(project, masks, control, splits))
    cases = cases_with_masks(project, masks, control, splits)
    control.progress.begin("export", len(cases), "case")
    for case in cases:
        control.check_stop()
        made, path = Made("mask", mask_made_from(case, masks)), out / _file_name(case)
        if not control.force and outputs.is_fresh(path, made):
            report.fresh.append(case.info.name)
        else:
            _write(outputs, path, case, masks, made)
            report.done.append(case.info.name)
        control.progress.advance(case.info.name)
    control.progress.end()
    report.seconds = time.monotonic() - started
    return report


def _write(outputs: Outputs, path: Path, case: CaseArrays, masks: str, made: Made) -> None:
    """Write a case's mask on its source's own grid."""
    from clisc_engine.imaging.volume import write_mask

    placement = Placement.from_dict(case.info.placement)
    mask = restore(case.read(f"masks/{masks}"), placement)
    outputs.put(path, partial(write_mask, mask=mask, geometry=placement.source), made)


def cases_with_masks(
    project: Project, masks: str, control: Control, splits: tuple[str, ...] = SPLITS
) -> list[CaseArrays]:
    """The control's cases of the splits with ``masks/<masks>``; a network's predictions are made first.

    Raises:
        MissingStage: when none has.
        BadInput: when the project knows no masks of this name.
    """
    array = f"masks/{masks}"
    everyone = project.cases(splits)
    if masks in PREDICTED:
        predict_cases(project, PREDICTED[masks], array, "evaluate", splits, control)
    names = {case.info.name for case in everyone}
    if unknown := [name for name in control.cases if name not in names]:
        raise BadInput(f"The project has no case {', '.join(unknown)} in {', '.join(splits)}.")
    chosen = _chosen(everyone, control)
    having = [case for case in chosen if case.seal(array) is not None]
    if not having:
        known = sorted(
            {name for case in everyone for name in project.store.children(f"cases/{case.info.name}/masks")}
        )
        if array in ARRAYS:
            raise MissingStage(f"No case has {array} yet; run `clisc {MADE_BY[array]}` first.")
        if masks in known:
            raise MissingStage(
                f"None of the cases asked for has {array}; others have, but no step makes it."
            )
        raise BadInput(f"There are no masks {masks!r}; try {', '.join(known) or 'sam after prompt-sam'}.")
    return having


def mask_made_from(case: CaseArrays, masks: str) -> dict[str, str]:
    """What a case's exported mask comes from: the image, the array, and what made it."""
    seal = case.seal(f"masks/{masks}")
    made = {} if seal is None else {"fingerprint": seal.fingerprint}
    return {"image": case.info.sha256, "array": f"masks/{masks}", **made}


def cases_to_come(
    project: Project, masks: str, control: Control, splits: tuple[str, ...] = SPLITS
) -> list[CaseArrays]:
    """The cases whose masks `cases_with_masks` will give, told before any is made."""
    chosen = _chosen(project.cases(splits), control)
    return [case for case in chosen if masks in PREDICTED or case.seal(f"masks/{masks}") is not None]


def _chosen(cases: Sequence[CaseArrays], control: Control) -> list[CaseArrays]:
    """Those of the cases that the control names; all when it names none."""
    return [case for case in cases if not control.cases or case.info.name in control.cases]


def _file_name(case: CaseArrays) -> str:
    return f"{case.info.name}_seg.nii.gz"


def stale_steps(project: Project, masks: str) -> list[str]:
    """The steps behind ``masks/<masks>`` whose results are not what the settings now ask for."""
    array = f"masks/{masks}"
    behind = steps_behind(array) if array in ARRAYS else []
    return [
        status.stage for status in survey(project) if status.state == "stale" and status.stage in behind
    ]
