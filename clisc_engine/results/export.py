"""Results for other tools: masks on the source's grid, and tables."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.files.tables import table_bytes
from clisc_engine.imaging.preprocess import Placement, restore
from clisc_engine.imaging.volume import write_mask
from clisc_engine.outputs.inputs import Inputs
from clisc_engine.outputs.outputs import Made, Outputs
from clisc_engine.products.graph import ARRAYS, MADE_BY, steps_behind
from clisc_engine.products.kinds import LABELS, PROBABILITY, UNET_ROUND1, UNET_ROUND2
from clisc_engine.project.project import SPLITS, CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Report
from clisc_engine.stages.s3f import table as s3f_table
from clisc_engine.stages.unet.prediction import predict_cases
from clisc_engine.upkeep.survey import survey

NETWORKS = {"round1": UNET_ROUND1, "round2": UNET_ROUND2}
"""Masks that a network predicts: they are made where they are lacking."""

WAY_OUT = "Choose another folder with -o, or replace masks that are no inputs or references with --force."
TABLES_WAY_OUT = "Choose another folder with -o, or move them away."


def export_masks(
    project: Project, masks: str, out: Path, control: Control, splits: tuple[str, ...] = SPLITS
) -> Report:
    """Write ``<case>_seg.nii.gz`` on each source's own grid for the masks named, e.g. ``round2``.

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
        placement = Placement.from_dict(case.info.placement)
        mask = restore(case.read(f"masks/{masks}"), placement)
        write = partial(write_mask, mask=mask, geometry=placement.source)
        outputs.put(out / _file_name(case), write, Made("mask", mask_made_from(case, masks)))
        report.done.append(case.info.name)
        control.progress.advance(case.info.name)
    control.progress.end()
    report.seconds = time.monotonic() - started
    return report


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
    if masks in NETWORKS:
        predict_cases(project, NETWORKS[masks], array, "evaluate", splits, control)
    names = {case.info.name for case in everyone}
    if unknown := [name for name in control.cases if name not in names]:
        raise BadInput(f"The project has no case {', '.join(unknown)} in {', '.join(splits)}.")
    chosen = [case for case in everyone if not control.cases or case.info.name in control.cases]
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
    everyone = project.cases(splits)
    chosen = [case for case in everyone if not control.cases or case.info.name in control.cases]
    return [case for case in chosen if masks in NETWORKS or case.seal(f"masks/{masks}") is not None]


def _file_name(case: CaseArrays) -> str:
    return f"{case.info.name}_seg.nii.gz"


def stale_steps(project: Project, masks: str) -> list[str]:
    """The steps behind ``masks/<masks>`` whose results are not what the settings now ask for."""
    array = f"masks/{masks}"
    behind = steps_behind(array) if array in ARRAYS else []
    return [
        status.stage for status in survey(project) if status.state == "stale" and status.stage in behind
    ]


def export_tables(project: Project, out: Path) -> list[Path]:
    """Write slices.csv and cases.csv, and copies of the evaluation's tables, where they exist.

    Returns:
        The files.

    Raises:
        MissingStage: when nothing has been labelled yet.
        BadInput: naming the files in the way that clisc did not write.
    """
    labelled = [case for case in project.cases() if case.seal(LABELS) is not None]
    if not labelled:
        raise MissingStage(f"No case has {LABELS} yet; run `clisc {MADE_BY[LABELS]}` first.")
    copied = {
        out / f"evaluation-{name}": project.results / name
        for name in ("rows.csv", "groups.csv", "cases.csv")
        if (project.results / name).is_file()
    }
    outputs = Outputs(Inputs.of_project(project), TABLES_WAY_OUT)
    outputs.check([out / "slices.csv", out / "cases.csv", *copied])
    slices, cases = [row for case in labelled for row in _slices(case)], _cases(project)
    tables = {
        out / "slices.csv": table_bytes(list(slices[0]), slices),
        out / "cases.csv": table_bytes(list(cases[0]), cases),
        **{path: source.read_bytes() for path, source in copied.items()},
    }
    for path, data in tables.items():
        outputs.put_bytes(path, data, Made("table", {"project": str(project.root.absolute())}))
    return list(tables)


def _slices(case: CaseArrays) -> Iterable[dict[str, Any]]:
    """One row a slice: z counts from the brain's first slice, axial_slice from the volume's."""
    first = case.info.placement["crop"][0][0]
    pairs = zip(case.read(PROBABILITY), case.read(LABELS), strict=True)
    for z, (probability, label) in enumerate(pairs):
        yield {
            "case": case.info.name,
            "split": case.info.split,
            "z": z,
            "axial_slice": first + z,
            "probability": f"{probability:.6f}",
            "label": {0: "normal", 1: "tumour"}.get(int(label), "uncertain"),
        }


def _cases(project: Project) -> list[dict[str, Any]]:
    """One row a case: where it comes from, the volume of each mask, and what S3F said."""
    scores = s3f_table.recorded(project)
    kept = s3f_table.kept(project)
    cases = project.cases()
    found = {case.info.name: project.store.children(f"cases/{case.info.name}/masks") for case in cases}
    names = sorted({name for masks in found.values() for name in masks})
    rows: list[dict[str, Any]] = []
    for case in cases:
        name = case.info.name
        voxel = float(np.prod(case.info.spacing)) / 1000
        volumes = {
            f"{mask}_ml": f"{int((case.read(f'masks/{mask}') != 0).sum()) * voxel:.3f}"
            if mask in found[name]
            else ""
            for mask in names
        }
        rows.append(
            {
                "case": name,
                "split": case.info.split,
                "source": case.info.source,
                "spacing_z_mm": case.info.spacing[0],
                "spacing_y_mm": case.info.spacing[1],
                "spacing_x_mm": case.info.spacing[2],
                **volumes,
                "s3f_similarity": scores.get(name, ""),
                "s3f_kept": int(name in kept) if name in scores else "",
            }
        )
    return rows
