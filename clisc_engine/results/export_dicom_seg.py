"""Masks as DICOM Segmentations, for the cases that came from DICOM."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from clisc_engine.errors import BadInput
from clisc_engine.files.atomic import disk_faults
from clisc_engine.files.words import listed
from clisc_engine.imaging.dicom import is_dicom_file
from clisc_engine.imaging.endings import ENDINGS
from clisc_engine.imaging.placement import Placement, restore
from clisc_engine.importing.origin import images_not_as_imported, init_again
from clisc_engine.outputs.inputs import Inputs
from clisc_engine.outputs.outputs import Made, Outputs
from clisc_engine.project.case_record import SPLITS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.results.export import (
    BY_FORCE,
    WAY_OUT,
    cases_to_come,
    cases_with_masks,
    each_in_turn,
    mask_made_from,
    would_be_written,
)
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Report

SUFFIX = "_seg.dcm"


def export_dicom_seg(
    project: Project, masks: str, out: Path, control: Control, splits: tuple[str, ...] = SPLITS
) -> tuple[Report, list[str]]:
    """Write ``<case>_seg.dcm`` for each case whose image is DICOM.

    Every source is looked at first: a segmentation refers to its files, so they must be those that were
    imported. A dry run writes nothing.

    Returns:
        What was done, and the cases that were left out since their images are no DICOM.

    Raises:
        MissingStage: when no case has such masks.
        BadInput: when no image is DICOM, or no case could be written; or, before anything is made, when a
            source is gone or has changed, or files are in the way that clisc did not write.
    """
    started = time.monotonic()
    report = Report("export dicom-seg")
    to_come = cases_to_come(project, masks, control, splits)
    chosen = [case for case in to_come if _came_from_dicom(case)]
    others = sorted({case.info.name for case in to_come} - {case.info.name for case in chosen})
    if to_come and not chosen:
        raise BadInput(
            f"None of these cases came from DICOM ({listed(others, 5)}); write NIfTI with "
            f"{project.store.home.in_words('export masks -o MASKS')}."
        )
    _check_sources(chosen)
    wanted = {case.info.name for case in chosen}
    outputs = Outputs(Inputs.of_project(project), WAY_OUT, by_force=BY_FORCE, force=control.force)
    outputs.check(out / f"{name}{SUFFIX}" for name in sorted(wanted))
    if control.dry_run and chosen:
        report.planned = would_be_written(project, masks, chosen)
        return report, others
    cases = [c for c in cases_with_masks(project, masks, report, control, splits) if c.info.name in wanted]

    def write(case: CaseArrays) -> None:
        _write(project, case, masks, out, outputs)
        report.done.append(case.info.name)

    each_in_turn(cases, write, report, control)
    report.seconds = time.monotonic() - started
    return report, others


def _came_from_dicom(case: CaseArrays) -> bool:
    """Whether the image is DICOM; one that is gone is told by its name."""
    source = Path(case.info.source)
    if source.exists():
        return source.is_dir() or is_dicom_file(source)
    return not source.name.lower().endswith(ENDINGS)


def _check_sources(cases: Sequence[CaseArrays]) -> None:
    """Refuse sources that are not as they were imported.

    Raises:
        BadInput: naming them.
    """
    if bad := images_not_as_imported(cases):
        named = "; ".join(f"{name}: {why}" for name, why in list(bad.items())[:5])
        raise BadInput(
            f"{len(bad)} of {len(cases)} cases cannot be referred to ({named}). A DICOM Segmentation names "
            f"the very files that were imported: put them back, tell where they lie now with "
            f"`{init_again(cases)}`, export others with --cases, or write NIfTI with "
            f"{cases[0].store.home.in_words('export masks -o MASKS')}."
        )


def _write(project: Project, case: CaseArrays, masks: str, out: Path, outputs: Outputs) -> None:
    from clisc_engine.imaging.dicom.segmentation import Origin, segmentation_of

    seal = case.seal(f"masks/{masks}")
    if seal is None:
        raise BadInput(f"masks/{masks} of {case.info.name} was taken away meanwhile; run this again.")
    mask = restore(case.read(f"masks/{masks}"), Placement.from_dict(case.info.placement))
    origin = Origin(
        masks, seal.fingerprint, datetime.fromisoformat(seal.time), {"weights": project.settings.made_with}
    )
    made = segmentation_of(Path(case.info.source), (mask != 0).astype(np.uint8), origin)

    def save(path: Path) -> None:
        with disk_faults(path):
            made.save_as(path, enforce_file_format=True)

    outputs.put(out / f"{case.info.name}{SUFFIX}", save, Made("mask", mask_made_from(case, masks)))
