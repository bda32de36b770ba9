"""The chain behind an exported mask of which little is told where it lies; the project tells the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clisc_engine.products import graph
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.results.explain.explained import UNNAMED, Explained, tiny_notes
from clisc_engine.results.model_file import TINY_CAUTION
from clisc_engine.results.provenance import Link, Provenance, command_of, settings_in, weights_in


@dataclass(frozen=True)
class Exported:
    """What is told of a mask. All of it is empty where it is not told.

    Attributes:
        array: of the case, e.g. ``masks/sam``.
        fingerprint: of all that made it.
        image: SHA-256 of the source.
        source: name of the source.
        case: its case's name when it was exported.
        weights: the project's preset of models.
        made_from: of its seal.
        time: when it was made, UTC.
        version: of clisc that made it.
    """

    array: str = ""
    fingerprint: str = ""
    image: str = ""
    source: str = ""
    case: str = ""
    weights: str = ""
    made_from: Mapping[str, str] = field(default_factory=dict)
    time: str = ""
    version: str = ""


def tell(found: Explained, mask: Exported, project: Project | None) -> Explained:
    """Add case, product, chain and notes to what was found: all that led to it where the project has it."""
    found.case, found.product = mask.case, mask.array
    if project is not None and not _by_project(found, mask, project):
        found.notes.append(f"{project.root} has no case of this image.")
    if not found.chain:
        found.chain = _chain(mask)
    if mask.weights == "tiny" and TINY_CAUTION not in found.notes:
        found.notes.insert(0, TINY_CAUTION)
    return found


def tell_by_project(
    found: Explained, project: Project, case: CaseArrays, array: str, fingerprint: str
) -> None:
    """The chain of a case's array in the project, if that still is the one of this fingerprint."""
    found.case, found.product = case.info.name, array
    seal = case.seal(array)
    if seal is not None and seal.fingerprint == fingerprint:
        found.chain = Provenance(project).of_array(case, array)
        found.notes = [*tiny_notes(project), *found.notes]
    else:
        found.notes.append(f"{project.root} holds another {array} of {case.info.name} by now.")


def _by_project(found: Explained, mask: Exported, project: Project) -> bool:
    """Tell of it by the project; whether that has its image."""
    having = [case for case in project.cases() if case.info.sha256 == mask.image or not mask.image]
    for case in having:
        arrays = [mask.array] if mask.array else _masks_of(project, case)
        for array in arrays:
            seal = case.seal(array)
            if seal is not None and seal.fingerprint == mask.fingerprint:
                tell_by_project(found, project, case, array, mask.fingerprint)
                return True
    if having and mask.image:
        tell_by_project(found, project, having[0], mask.array or "mask", mask.fingerprint)
    return bool(having and mask.image)


def _masks_of(project: Project, case: CaseArrays) -> list[str]:
    return [f"masks/{name}" for name in project.store.children(f"cases/{case.info.name}/masks")]


def _chain(mask: Exported) -> list[Link]:
    """The source, the networks that are named, and the mask itself."""
    known = {key: mark for key, mark in mask.made_from.items() if key in graph.PRODUCTS}
    networks = [
        Link(key, "network", command_of(key), fingerprint=mark)
        for key, mark in known.items()
        if key in graph.NETWORKS
    ]
    source = Link("source", "source", "", files={mask.source or UNNAMED: mask.image}, case=mask.case)
    last = Link(
        mask.array or "mask",
        "array",
        "",
        mask.time,
        mask.version,
        settings=settings_in(mask.made_from),
        weights=weights_in(mask.made_from),
        made_from=[*known] or ["source"],
        fingerprint=mask.fingerprint,
        case=mask.case,
    )
    return [source, *networks, last]
