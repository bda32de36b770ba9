"""Masks that tell of themselves: by the JSON file beside them, or as DICOM in their own headers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clisc_engine.files.reading import object_at
from clisc_engine.imaging.dicom import is_dicom_file
from clisc_engine.imaging.volume import read_volume
from clisc_engine.outputs.record import Written
from clisc_engine.project.project import Project
from clisc_engine.results.explain.explained import Explained, changed_since, link_of
from clisc_engine.results.explain.exported import Exported, tell
from clisc_engine.results.export_bids import KEY as BIDS_KEY
from clisc_engine.results.export_dicom_seg import SUFFIX
from clisc_engine.results.model_file import TINY_CAUTION
from clisc_engine.results.sidecar import KEY, beside, digest_of_mask


def by_sidecar(path: Path, written: Written | None, project: Project | None) -> Explained | None:
    """A mask that `export masks` or `export bids` wrote, by the file beside it.

    Args:
        path: of the mask.
        written: what the record of outputs says of it; None when that has no file of its name.
        project: that may know what a BIDS sidecar does not tell.
    """
    told = object_at(beside(path)) or {}
    own, of_bids = told.get(KEY), told.get(BIDS_KEY)
    if isinstance(own, Mapping) and isinstance(own.get("Chain"), list):
        return _by_chain(path, str(told.get("Description", own.get("Array", ""))), own)
    if isinstance(of_bids, Mapping) and "ImageSHA256" in of_bids:
        return _by_bids(path, of_bids, written, project)
    return None


def by_dicom(path: Path, written: Written | None, project: Project | None) -> Explained | None:
    """A DICOM Segmentation of clisc's; what its headers do not tell, the record beside it may."""
    if not is_dicom_file(path):
        return None
    from clisc_engine.imaging.dicom.origin import origin_in

    told = origin_in(path)
    if told is None:
        return None
    noted = written.made_from if written else {}
    mask = Exported(
        f"masks/{told.name}",
        told.fingerprint,
        str(noted.get("image", "")),
        f"DICOM series {told.series}",
        path.name.removesuffix(SUFFIX) if written and path.name.endswith(SUFFIX) else "",
        told.weights,
        time=told.time,
        version=told.version,
    )
    what = f"{mask.array}{f' of case {mask.case}' if mask.case else ''} as a DICOM Segmentation,"
    found = Explained(what, "what the file says of itself")
    if written and not written.same:
        found.notes.append(changed_since("`clisc export dicom-seg`"))
    return tell(found, mask, project)


def _by_chain(path: Path, what: str, own: Mapping[str, Any]) -> Explained:
    found = Explained(
        what,
        f"its sidecar {beside(path).name}",
        case=str(own.get("Case", "")),
        product=str(own.get("Array", "")),
        chain=[link_of(entry) for entry in own["Chain"] if isinstance(entry, Mapping)],
        project=str(own.get("Project", "")),
    )
    if own.get("Weights") == "tiny":
        found.notes.append(TINY_CAUTION)
    if own.get("Stale"):
        found.notes.append(f"It was stale when it was exported: {own['Stale']}.")
    if not _has_voxels(path, own.get("MaskSha256")):
        found.notes.append(_OTHER_VOXELS)
    return found


def _by_bids(
    path: Path, own: Mapping[str, Any], written: Written | None, project: Project | None
) -> Explained:
    noted = written.made_from if written else {}
    made_from = own.get("MadeFrom")
    mask = Exported(
        str(own.get("Array") or noted.get("array", "")),
        str(own.get("Fingerprint", "")),
        str(own["ImageSHA256"]),
        str(own.get("Image", "")),
        str(own.get("Case", "")),
        str(own.get("Weights", "")),
        {str(key): str(value) for key, value in made_from.items()}
        if isinstance(made_from, Mapping)
        else {},
        str(own.get("Time", "")),
        str(own.get("Version", "")),
    )
    what = f"{mask.array or 'mask'} of case {mask.case} as a BIDS derivative,"
    found = Explained(what, f"its sidecar {beside(path).name}")
    if not _has_voxels(path, own.get("MaskSHA256")):
        found.notes.append(_OTHER_VOXELS)
    elif "MaskSHA256" not in own and written and not written.same:
        found.notes.append(changed_since("`clisc export bids`"))
    return tell(found, mask, project)


_OTHER_VOXELS = "Its voxels are not those that were exported: it was changed since."


def _has_voxels(path: Path, digest: object) -> bool:
    """Whether the mask's voxels are those of this digest; also where none was kept."""
    return not digest or digest_of_mask(read_volume(path).array) == digest
