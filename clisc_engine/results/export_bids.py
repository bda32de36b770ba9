"""Masks as a BIDS derivatives data set, each with a JSON file that says what it was made from."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from clisc_engine.errors import BadInput
from clisc_engine.imaging.placement import Placement, restore
from clisc_engine.imaging.volume import write_mask
from clisc_engine.outputs.inputs import Inputs
from clisc_engine.outputs.outputs import Made, Outputs
from clisc_engine.project.case_record import SPLITS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.results.bids_names import DESCRIPTION, BidsImage, bids_image, mask_path
from clisc_engine.results.export import (
    BY_FORCE,
    WAY_OUT,
    cases_to_come,
    cases_with_masks,
    each_in_turn,
    mask_made_from,
    would_be_written,
)
from clisc_engine.results.sidecar import beside, digest_of_mask
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Report
from clisc_engine.version import VERSION

BIDS_VERSION = "1.10.0"
README = "README.md"
CAUTION = "Made without labels; research software, not a medical device."
KEY = "CLISC"
"""Holds in a mask's JSON file what BIDS has no words for."""
_ENTITY_KEYS = {"res": "Resolution"}
"""Entities of an image's name that BIDS wants explained beside every file that bears them."""


def export_bids(
    project: Project, masks: str, out: Path, control: Control, splits: tuple[str, ...] = SPLITS
) -> Report:
    """Write the masks named, e.g. ``round2``, on each source's own grid; dataset_description.json is last.

    Masks of other cases that an earlier call wrote there stay. A dry run writes nothing.

    Raises:
        MissingStage: when no case has such masks.
        BadInput: when the project knows no masks of this name; when two cases would get one file; when
            no case could be written; or, before anything is made, naming the files in the way that clisc
            did not write.
    """
    started = time.monotonic()
    report = Report("export bids")
    to_come = cases_to_come(project, masks, control, splits)
    _refuse_one_name(to_come)
    known = _data_sets(project.cases())
    own = Inputs(root / name for root in known for name in (DESCRIPTION, README))
    inputs = Inputs.of_project(project) | own
    outputs = Outputs(inputs, WAY_OUT, by_force=BY_FORCE, force=control.force, home=out)
    planned = [path for case in to_come for path in _files(out, case)]
    outputs.check([*planned, out / README, out / DESCRIPTION])
    if control.dry_run and to_come:
        report.planned = would_be_written(project, masks, to_come)
        return report
    cases = cases_with_masks(project, masks, report, control, splits)

    def write(case: CaseArrays) -> None:
        _write_case(project, case, masks, out, outputs, known)
        report.done.append(case.info.name)

    each_in_turn(cases, write, report, control)
    outputs.put_bytes(out / README, _readme(masks).encode(), Made("readme"))
    outputs.put_bytes(out / DESCRIPTION, _json(_description(masks, out, known)), Made("description"))
    report.seconds = time.monotonic() - started
    return report


def _files(out: Path, case: CaseArrays) -> tuple[Path, Path]:
    """A case's mask and the JSON file beside it."""
    mask = out / mask_path(case.info.name, Path(case.info.source))
    return mask, beside(mask)


def _refuse_one_name(cases: Iterable[CaseArrays]) -> None:
    taken: dict[str, str] = {}
    for case in cases:
        name = mask_path(case.info.name, Path(case.info.source)).name.casefold()
        if name in taken:
            raise BadInput(
                f"The cases {taken[name]} and {case.info.name} would both be {name} in BIDS; export them "
                "into folders of their own with --cases."
            )
        taken[name] = case.info.name


def _data_sets(cases: Iterable[CaseArrays]) -> dict[Path, str]:
    """The BIDS data sets that images come from, each with the name by which BIDS URIs call it."""
    found = {image.root for case in cases if (image := bids_image(Path(case.info.source)))}
    return {root: f"source{number or ''}" for number, root in enumerate(sorted(found))}


def _write_case(
    project: Project,
    case: CaseArrays,
    masks: str,
    out: Path,
    outputs: Outputs,
    known: Mapping[Path, str],
) -> None:
    placement = Placement.from_dict(case.info.placement)
    mask = restore(case.read(f"masks/{masks}"), placement)
    made = Made("mask", mask_made_from(case, masks))
    path, sidecar = _files(out, case)
    outputs.put(path, partial(write_mask, mask=mask, geometry=placement.source), made)
    described = _sidecar(project, case, masks, path.name, bids_image(Path(case.info.source)), known)
    described[KEY]["MaskSHA256"] = digest_of_mask(mask)
    outputs.put_bytes(sidecar, _json(described), made)


def _sidecar(
    project: Project,
    case: CaseArrays,
    masks: str,
    name: str,
    image: BidsImage | None,
    known: Mapping[Path, str],
) -> dict[str, Any]:
    uri = f"bids:{known[image.root]}:{image.path}" if image else ""
    seal = case.seal(f"masks/{masks}")
    return {
        "Description": f"Tumour, 0 or 1, on the grid of the FLAIR image (masks/{masks}). {CAUTION}",
        "Type": "Lesion",
        **({"Sources": [uri], "SpatialReference": uri} if uri else {}),
        **{key: "as the image" for entity, key in _ENTITY_KEYS.items() if f"_{entity}-" in name},
        KEY: {
            "Case": case.info.name,
            "Array": f"masks/{masks}",
            "Image": Path(case.info.source).name,
            "ImageSHA256": case.info.sha256,
            "Weights": project.settings.made_with,
            "Version": seal.version if seal else VERSION,
            "Time": seal.time if seal else "",
            "Fingerprint": seal.fingerprint if seal else "",
            "MadeFrom": seal.made_from if seal else {},
        },
    }


def _description(masks: str, out: Path, known: Mapping[Path, str]) -> dict[str, Any]:
    links = {name: _link(root, out) for root, name in known.items()}
    sources = [_source(root, out) for root in known]
    return {
        "Name": "Tumour masks by CLISC",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [
            {"Name": "clisc", "Version": VERSION, "Description": f"masks/{masks} of a project. {CAUTION}"}
        ],
        **({"SourceDatasets": sources, "DatasetLinks": links} if known else {}),
    }


def _source(root: Path, out: Path) -> dict[str, str]:
    """A data set by its DOI if its own description gives one, and by where it lies."""
    try:
        found = json.loads((root / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        found = {}
    doi = found.get("DatasetDOI") if isinstance(found, dict) else None
    return {**({"DOI": doi} if isinstance(doi, str) else {}), "URL": _link(root, out)}


def _link(root: Path, out: Path) -> str:
    """From the derivatives to a data set: relative if they lie in it, so that both can be moved."""
    here, there = Path(os.path.realpath(out)), Path(os.path.realpath(root))
    return os.path.relpath(there, here) if here.is_relative_to(there) else there.as_uri()


def _readme(masks: str) -> str:
    return (
        f"# Tumour masks by CLISC\n\nBinary masks `masks/{masks}` of a clisc {VERSION} project, one a "
        f"FLAIR image, on its own grid. {CAUTION}\nThe JSON file beside each mask says what it was made "
        "from.\n\nMethod: CLISC: Bridging CLIP and SAM by Enhanced CAM for Unsupervised Brain Tumor "
        "Segmentation, IEEE ISBI 2025.\n"
    )


def _json(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, indent=1).encode() + b"\n"
