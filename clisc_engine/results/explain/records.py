"""Files that a record of outputs knows, and masks that a project has, whatever they are called."""

from __future__ import annotations

from pathlib import Path

from clisc_engine.files.reading import object_at
from clisc_engine.imaging.endings import ENDINGS, without_ending
from clisc_engine.imaging.placement import Placement, restore
from clisc_engine.imaging.volume import read_volume
from clisc_engine.outputs.record import RECORD, Written
from clisc_engine.products import graph
from clisc_engine.project.project import Project
from clisc_engine.results.explain.explained import Explained, changed_since, meaning
from clisc_engine.results.explain.exported import Exported, tell, tell_by_project
from clisc_engine.results.explain.networks import by_identity
from clisc_engine.results.explain.predictions import chain_of_prediction
from clisc_engine.results.export_nnunet import DESCRIPTION, PARTS
from clisc_engine.results.provenance import Provenance
from clisc_engine.results.sidecar import digest_of_mask


def by_record(path: Path, written: Written, project: Project | None) -> Explained:
    """A file that clisc wrote, by what the record beside or above it says."""
    made = written.made_from
    when = f"written {written.time} by clisc {written.version}"
    found = Explained(f"{written.what}, {when}", f"the record {RECORD}")
    if not written.same:
        found.notes.append(changed_since("clisc"))
    if "array" in made:
        mask = _exported(path, written)
        found.what = f"{written.what}{f' of case {mask.case}' if mask.case else ''}, {when}"
        return tell(found, mask, project)
    if project is not None and str(made.get("project", "")) == str(project.root.absolute()):
        found.chain = Provenance(project).of_networks_alone(graph.NETWORKS)
        found.notes.append("It tells of the whole project; what trained its networks is listed.")
    if "network" in made and "project" not in made:
        if "image" in made:
            found.chain, notes = chain_of_prediction(
                "", made, project, time=written.time, version=written.version
            )
        else:
            found.chain, notes, _ = by_identity(project, str(made["network"]))
        found.notes += notes
    if not found.chain:
        facts = ", ".join(f"{key} {value}" for key, value in made.items())
        found.notes.append(f"Made from {facts or 'nothing that was noted'}.")
    return found


def by_voxels(path: Path, project: Project | None) -> Explained | None:
    """A mask that is a project's, whatever it is called and however it is packed.

    Raises:
        BadInput: when it cannot be read.
    """
    if project is None or not path.name.lower().endswith(ENDINGS):
        return None
    volume = read_volume(path)
    digest, shape = digest_of_mask(volume.array), volume.array.shape
    for case in project.cases():
        if tuple(reversed(case.info.placement["source"]["size"])) != shape:
            continue
        placement = Placement.from_dict(case.info.placement)
        for name in project.store.children(f"cases/{case.info.name}/masks"):
            array = f"masks/{name}"
            seal = case.seal(array)
            if seal and digest_of_mask(restore(case.read(array), placement)) == digest:
                found = Explained(f"{meaning(array)} of case {case.info.name}", "its voxels in the project")
                tell_by_project(found, project, case, array, seal.fingerprint)
                return found
    return None


def _exported(path: Path, written: Written) -> Exported:
    """What the record, the place and the name of a mask tell of it."""
    array, fingerprint, image = (
        str(written.made_from.get(key, "")) for key in ("array", "fingerprint", "image")
    )
    stem, suffix = without_ending(path), f"_{array.removeprefix('masks/')}"
    case, weights = stem.removesuffix(suffix) if stem.endswith(suffix) else "", ""
    folder = path.absolute().parent
    if folder.name == PARTS[1]:  # nnU-Net's labels have their cases' bare names
        case, weights = stem, str((object_at(folder.parent / DESCRIPTION) or {}).get("weights", ""))
    return Exported(array, fingerprint, image, case=case, weights=weights)
