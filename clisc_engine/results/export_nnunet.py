"""An nnU-Net v2 raw data set of a project's images and pseudo-labels.

The layout and the rules are those that nnU-Net's documentation gives for ``nnUNet_raw``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.imaging.geometry import Geometry, Volume
from clisc_engine.imaging.placement import Placement, restore
from clisc_engine.imaging.volume import read_volume, write_image, write_mask
from clisc_engine.importing.brains import kept_brain
from clisc_engine.importing.origin import images_not_as_imported, init_again
from clisc_engine.outputs.inputs import Inputs
from clisc_engine.outputs.outputs import Made, Outputs
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.results.export import (
    cases_to_come,
    cases_with_masks,
    in_turn,
    mask_made_from,
    none_written,
    would_be_written,
)
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Report
from clisc_engine.stages.s3f import table as s3f_table

STEP = "export nnunet"
ENDING = ".nii.gz"
DESCRIPTION = "dataset.json"
PARTS = ("imagesTr", "labelsTr", "imagesTs")

NIFTI1_MOST = 32767
"""Voxels along an axis that a NIfTI-1 file can have."""

WAY_OUT = "Choose another --id or --name."
BY_FORCE = "replace files that are no inputs or references with --force"


def export_nnunet(
    project: Project,
    masks: str,
    out: Path,
    control: Control,
    *,
    number: int,
    name: str,
    stored_images: bool,
) -> tuple[Report, Path]:
    """Write ``Dataset<number>_<name>`` below ``out``; its dataset.json comes last.

    What an earlier call left there is written again, and taken out where it is no part any more; with the
    control's force so is another project's data set. A dry run writes nothing.

    Train and valid cases with the masks become ``imagesTr`` and ``labelsTr``, test cases ``imagesTs``.
    Train cases that S3F dropped are left out when the masks are round 1's, as `self-train` does.

    Args:
        project: with masks.
        masks: the pseudo-labels, e.g. ``sam`` or ``round1``.
        out: a folder, usually ``$nnUNet_raw``.
        control: progress, device.
        number: of the data set, 1 to 999.
        name: letters, digits and underscores.
        stored_images: take the normalised images from the project instead of the source files.

    Raises:
        MissingStage: when no case has such masks, or the network that would make them is not trained.
        BadInput: when the project knows no masks of this name, or a source file has moved or changed, or
            the folder holds another project's data set, or files that clisc did not write.
    """
    folder = _folder(out, number, name)
    outputs = Outputs(
        Inputs.of_project(project), WAY_OUT, by_force=BY_FORCE, force=control.force, home=folder
    )
    coming = _to_come(project, masks, control)
    planned = [path for case in coming for path in _files(folder, case)]
    outputs.check([*planned, folder / DESCRIPTION])
    _check_others(folder, outputs, set(planned))
    if not control.force:
        _refuse_anothers(folder, project, outputs)
    if not stored_images:
        _check_sources(coming)
    report = Report(STEP)
    if control.dry_run and any(case.info.split != "test" for case in coming):
        report.planned = would_be_written(project, masks, coming)
        return report, folder
    labelled = _labelled(project, masks, coming, report, control)
    dropped = _dropped(project, masks)
    report.fresh = sorted(case.info.name for case in labelled if case.info.name in dropped)
    chosen = [case for case in labelled if case.info.name not in dropped] + _tests(project, control)
    _make_room(folder, {path for case in chosen for path in _files(folder, case)}, outputs)
    for case in in_turn(chosen, control):
        _write_case(case, masks, folder, outputs, stored_images, project.base.root)
        report.done.append(case.info.name)
    count = sum(case.info.split != "test" for case in chosen)
    outputs.put_bytes(folder / DESCRIPTION, _description(project, masks, count), Made("description"))
    return report, folder


def _folder(out: Path, number: int, name: str) -> Path:
    """The folder of the data set.

    Raises:
        BadInput: when it may not be called so.
    """
    if not re.fullmatch(r"[A-Za-z0-9_]+", name):
        raise BadInput(f"--name {name!r}: use letters, digits and underscores.")
    return out / f"Dataset{number:03d}_{name}"


def _refuse_anothers(folder: Path, project: Project, outputs: Outputs) -> None:
    """Refuse to replace a data set of another project, which has no image in common with this one.

    Raises:
        BadInput: naming the ways out.
    """
    own = {case.info.sha256 for case in project.cases()}
    there = {str(outputs.origin_of(path).get("image", "")) for path in _volumes(folder)} - {""}
    if there and not there & own and (folder / DESCRIPTION).exists():
        raise BadInput(
            f"{folder} already holds another project's data set; choose another --id or --name, or replace "
            "it with --force."
        )


def _labelled(
    project: Project, masks: str, coming: Sequence[CaseArrays], report: Report, control: Control
) -> list[CaseArrays]:
    """The train and valid cases with their masks, which are predicted where they lack.

    Raises:
        BadInput: when one of ``coming`` failed, for a data set that lacks cases would pass for the whole.
    """
    having = cases_with_masks(project, masks, report, control)
    lost = {case.info.name for case in coming if case.info.split != "test"} & report.failed.keys()
    if lost:
        raise BadInput(f"No data set was made. {none_written({n: report.failed[n] for n in sorted(lost)})}")
    report.failed.clear()  # of test cases only the images are written
    return [case for case in having if case.info.split != "test"]


def _to_come(project: Project, masks: str, control: Control) -> list[CaseArrays]:
    """The cases that will be written, as far as that can be told before masks are made."""
    dropped = _dropped(project, masks)
    labelled = [case for case in cases_to_come(project, masks, control) if case.info.split != "test"]
    return [c for c in labelled if c.info.name not in dropped] + _tests(project, control)


def _tests(project: Project, control: Control) -> list[CaseArrays]:
    """The test cases, of those that the control names where it names any."""
    tests = project.cases(("test",))
    return [case for case in tests if not control.cases or case.info.name in control.cases]


def _dropped(project: Project, masks: str) -> set[str]:
    return set(s3f_table.recorded(project)) - s3f_table.kept(project) if masks == "round1" else set()


def _files(folder: Path, case: CaseArrays) -> list[Path]:
    """A case's image, and its label unless it is a test case."""
    name = case.info.name
    if case.info.split == "test":
        return [folder / "imagesTs" / f"{name}_0000{ENDING}"]
    return [folder / "imagesTr" / f"{name}_0000{ENDING}", folder / "labelsTr" / f"{name}{ENDING}"]


def _volumes(folder: Path) -> list[Path]:
    return sorted(path for part in PARTS for path in (folder / part).glob("*") if path.name[0] != ".")


def _check_others(folder: Path, outputs: Outputs, planned: set[Path]) -> None:
    """Refuse a folder with files that would become part of the data set though clisc did not write them.

    Raises:
        BadInput: naming the first.
    """
    others = [path for path in _volumes(folder) if path not in planned and not outputs.is_ours(path)]
    if others:
        raise BadInput(
            f"{folder} holds files that clisc did not write, first of {len(others)} {others[0]}; choose "
            "another --id or --name, or move them away."
        )


def _check_sources(cases: Sequence[CaseArrays]) -> None:
    """Refuse images that are not as they were imported: they would not be those that the masks are of.

    Raises:
        BadInput: naming them.
    """
    if bad := images_not_as_imported(cases):
        named = "; ".join(f"{name}: {why}" for name, why in list(bad.items())[:5])
        more = f"; and {len(bad) - 5} more" if len(bad) > 5 else ""
        raise BadInput(
            f"{len(bad)} of {len(cases)} images are not the files that `init` read ({named}{more}). Put "
            f"them back, tell where they lie now with `{init_again(cases)}`, export other cases with "
            "--cases, or take the normalised images that the project holds with --stored-images."
        )


def _make_room(folder: Path, wanted: set[Path], outputs: Outputs) -> None:
    """Take out what an earlier call left that is no part of this data set, its description first."""
    outputs.remove(folder / DESCRIPTION)
    for path in _volumes(folder):
        if path not in wanted:
            outputs.remove(path)
    for part in PARTS:
        (folder / part).mkdir(parents=True, exist_ok=True)


def _write_case(
    case: CaseArrays, masks: str, folder: Path, outputs: Outputs, stored_images: bool, root: Path
) -> None:
    volume = _image(case, stored_images, root)
    geometry = _for_nnunet(volume.geometry)
    image, *labels = _files(folder, case)
    outputs.put(
        image,
        partial(write_image, array=volume.array, geometry=geometry),
        Made("image", {"image": case.info.sha256}),
    )
    for label in labels:
        mask = restore(case.read(f"masks/{masks}"), Placement.from_dict(case.info.placement))
        outputs.put(
            label,
            partial(write_mask, mask=mask, geometry=geometry),
            Made("mask", mask_made_from(case, masks)),
        )


def _for_nnunet(geometry: Geometry) -> Geometry:
    """The same grid as NIfTI-1: SimpleITK, by which nnU-Net reads, knows no NIfTI-2."""
    forms = geometry.forms
    if forms is None or max(geometry.size) > NIFTI1_MOST:
        return geometry
    return replace(geometry, forms=replace(forms, version=1))


def _image(case: CaseArrays, stored: bool, root: Path) -> Volume:
    placement = Placement.from_dict(case.info.placement)
    if stored:
        image = restore(case.read("image").astype("float32"), placement)
        return Volume(image, placement.source, case.info.source)
    volume = read_volume(Path(case.info.source), case.info.channel)
    brain = kept_brain(root, case.info)
    return volume if brain is None else replace(volume, array=volume.array * brain.mask())


def _description(project: Project, masks: str, count: int) -> bytes:
    description = {
        "channel_names": {"0": "FLAIR"},
        "labels": {"background": 0, "tumour": 1},
        "numTraining": count,
        "file_ending": ENDING,
        "description": f"Pseudo-labels masks/{masks} made by clisc without labels; no human drew them.",
        "licence": "as the images",
        "weights": project.settings.made_with,
    }
    return json.dumps(description, indent=1).encode()
