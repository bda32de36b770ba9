"""An nnU-Net v2 raw data set of a project's images and pseudo-labels.

The layout and the rules are those that nnU-Net's documentation gives for ``nnUNet_raw``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from clisc_engine.control import Control
from clisc_engine.errors import BadInput
from clisc_engine.imaging.geometry import Volume
from clisc_engine.imaging.preprocess import Placement, restore
from clisc_engine.imaging.volume import read_volume, write_image, write_mask
from clisc_engine.project import CaseArrays, Project
from clisc_engine.runner import Report
from clisc_engine.stages import s3f_table
from clisc_engine.stages.export import cases_with_masks
from clisc_engine.stages.importing import hash_of
from clisc_engine.store import write_atomically

ENDING = ".nii.gz"


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
        BadInput: when a source file has moved or changed, or the folder is taken.
    """
    if not re.fullmatch(r"[A-Za-z0-9_]+", name):
        raise BadInput(f"--name {name!r}: use letters, digits and underscores.")
    folder = out / f"Dataset{number:03d}_{name}"
    if (folder / "dataset.json").exists():
        raise BadInput(f"{folder} already holds a data set; remove it, or choose another --id or --name.")
    report = Report("export nnunet")
    labelled = [c for c in cases_with_masks(project, masks, control) if c.info.split != "test"]
    dropped = set(s3f_table.recorded(project)) - s3f_table.kept(project) if masks == "round1" else set()
    report.fresh = sorted(case.info.name for case in labelled if case.info.name in dropped)
    labelled = [case for case in labelled if case.info.name not in dropped]
    tested = project.cases(("test",))
    for part in ("imagesTr", "labelsTr", "imagesTs"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    control.progress.begin("export", len(labelled) + len(tested), "case")
    for case in (*labelled, *tested):
        control.check_stop()
        images = folder / ("imagesTs" if case.info.split == "test" else "imagesTr")
        volume = _image(case, stored_images)
        write_image(images / f"{case.info.name}_0000{ENDING}", volume.array, volume.geometry)
        if case.info.split != "test":
            placement = Placement.from_dict(case.info.placement)
            mask = restore(case.read(f"masks/{masks}"), placement)
            write_mask(folder / "labelsTr" / f"{case.info.name}{ENDING}", mask, volume.geometry)
        report.done.append(case.info.name)
        control.progress.advance(case.info.name)
    control.progress.end()
    _write_description(project, masks, folder, len(labelled))
    return report, folder


def _image(case: CaseArrays, stored: bool) -> Volume:
    placement = Placement.from_dict(case.info.placement)
    if stored:
        image = restore(case.read("image").astype("float32"), placement)
        return Volume(image, placement.source, case.info.source)
    path = Path(case.info.source)
    if not path.exists():
        raise BadInput(
            f"{path}, the source of {case.info.name}, is no longer there; mount it again, or take the "
            "normalised images that the project holds with --stored-images."
        )
    if path.is_file() and hash_of(path) != case.info.sha256:
        raise BadInput(f"{path} is not the file that `init` read; restore it, or use --stored-images.")
    return read_volume(path, case.info.channel)


def _write_description(project: Project, masks: str, folder: Path, count: int) -> None:
    description = {
        "channel_names": {"0": "FLAIR"},
        "labels": {"background": 0, "tumour": 1},
        "numTraining": count,
        "file_ending": ENDING,
        "description": f"Pseudo-labels masks/{masks} made by clisc without labels; no human drew them.",
        "licence": "as the images",
        "weights": project.settings.weights,
    }
    write_atomically(folder / "dataset.json", json.dumps(description, indent=1).encode())
