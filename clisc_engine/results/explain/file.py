"""From a file in hand to all that led to it: a mask, a probability, a model, a report, a table.

A file of a project's own is known by its place; any other by its sidecar or its own headers, by a folder's
record of predictions, by the record of outputs beside it, or by its voxels in a project.
"""

from __future__ import annotations

from pathlib import Path

from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.files.digest import sha256_of
from clisc_engine.files.reading import is_there
from clisc_engine.outputs.record import written_at
from clisc_engine.project.project import SETTINGS_FILE, Project
from clisc_engine.project.variants import FILE as VARIANT
from clisc_engine.project.variants import opened
from clisc_engine.results.explain.explained import Explained
from clisc_engine.results.explain.networks import of_model_file
from clisc_engine.results.explain.own_files import by_place
from clisc_engine.results.explain.predictions import by_predictions
from clisc_engine.results.explain.records import by_record, by_voxels
from clisc_engine.results.explain.sidecars import by_dicom, by_sidecar
from clisc_engine.results.model_file import ENDING


def explain_file(path: Path, project: Project | None) -> Explained:
    """Where a file comes from; the project, if there is one, tells what the file does not.

    Raises:
        BadInput: when it does not exist, cannot be read, or nothing tells where it comes from.
    """
    if not path.is_file():
        raise BadInput(f"{path} does not exist.")
    digest = sha256_of(path)
    found = of_model_file(path, project) if path.suffix == ENDING else _found(path, digest, project)
    if found is None:
        where = f", and {project.root} does not know it" if project else "; name a project with --project"
        raise BadInput(f"Nothing tells where {path} comes from: no sidecar, no record beside it{where}.")
    found.file, found.sha256 = str(path), digest
    return found


def project_of(found: Explained) -> Project | None:
    """The project or variant that a file's sidecar tells of, if it is still there and has the same source.

    Another project may lie in that folder by now: it counts as the same if its case came from that
    file.
    """
    folder = Path(found.project)
    if not found.project or not any(is_there(folder / file) for file in (SETTINGS_FILE, VARIANT)):
        return None
    try:
        project = opened(folder)
        source = project.case(found.case).info.sha256
    except (BadInput, MissingStage):
        return None
    return project if source in {digest for link in found.chain for digest in link.files.values()} else None


def _found(path: Path, digest: str, project: Project | None) -> Explained | None:
    """By what tells most of it, down to a record of what lay there before it was changed."""
    written = written_at(path, digest)
    found = by_place(path) or by_sidecar(path, written, project) or by_dicom(path, written, project)
    found = found or by_predictions(path, written, project)
    if found is None and written and written.same:
        found = by_record(path, written, project)
    found = found or by_voxels(path, project)
    return by_record(path, written, project) if found is None and written else found
