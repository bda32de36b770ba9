"""From a file in hand, or a case, to all that led to it: a mask, a probability, a model, a report, a table.

A file is known by its sidecar, by the record of outputs beside it, by a folder's record of predictions, or
by its voxels in a project.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.files.digest import sha256_of
from clisc_engine.files.reading import is_there, read_if_there
from clisc_engine.files.words import shell_word
from clisc_engine.imaging.endings import ENDINGS, without_ending
from clisc_engine.imaging.placement import Placement, restore
from clisc_engine.imaging.volume import read_volume
from clisc_engine.outputs.record import RECORD as OUTPUTS
from clisc_engine.outputs.record import entries_of
from clisc_engine.products import graph
from clisc_engine.products.kinds import NEWEST_FIRST, UNET_ROUND1, UNET_ROUND2
from clisc_engine.products.shared import INFERENCE
from clisc_engine.project.fingerprint import settings_used
from clisc_engine.project.project import SETTINGS_FILE, CaseArrays, Project
from clisc_engine.project.variants import FILE as VARIANT
from clisc_engine.project.variants import opened
from clisc_engine.results import predict_record
from clisc_engine.results.bundled import BUNDLED, bundled_card
from clisc_engine.results.model_file import ENDING, ModelCard, read_card
from clisc_engine.results.provenance import Link, Provenance, link_of_network
from clisc_engine.results.segmenter import identity_of, settings_of
from clisc_engine.results.sidecar import KEY, beside, digest_of_mask
from clisc_engine.results.trained import card_of

TINY = "Made with the bundled tiny models, which are for demos and tests."
PROBABILITY = "_probability"
DEPTH = 5
"""So many folders up a record may lie: that of a BIDS data set is three above its masks."""


@dataclass
class Explained:
    """Where something comes from.

    Attributes:
        what: in a few words.
        known_by: how that was found out.
        file: the file in hand; empty for a case of a project.
        sha256: of it.
        case: the case's name; empty where it is of none.
        product: the array or the network; empty where it is neither.
        chain: all that led to it, in the order of its making.
        notes: sentences on what is not so, or not known.
        project: the folder that the project or the variant had which made it; empty where that is not told.
    """

    what: str
    known_by: str
    file: str = ""
    sha256: str = ""
    case: str = ""
    product: str = ""
    chain: list[Link] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    project: str = ""


def explain_case(project: Project, name: str, array: str = "") -> Explained:
    """Where an array of a case comes from, by default the mask of the last step that made one.

    Raises:
        BadInput: when the project has no such case, or the case no such array.
    """
    case = project.case(name)
    there = array or next((one for one in NEWEST_FIRST if case.seal(one) is not None), "image")
    if case.seal(there) is None:
        raise BadInput(
            f"Case {name} has no {there}; `clisc status {shell_word(project.root)} {name}` lists what it "
            "has."
        )
    return Explained(
        f"{_meaning(there)} of case {name}",
        f"the project {project.root}",
        case=name,
        product=there,
        chain=Provenance(project).of_array(case, there),
        project=str(project.root.absolute()),
    )


def explain_file(path: Path, project: Project | None) -> Explained:
    """Where a file comes from; the project, if there is one, tells what the file does not.

    Raises:
        BadInput: when it cannot be read, or nothing tells where it comes from.
    """
    if not path.is_file():
        raise BadInput(f"{path} is not there.")
    found: Explained | None
    if path.suffix == ENDING:
        found = _of_model(path, project)
    else:
        found = _by_sidecar(path) or _by_predictions(path, project) or _by_record(path, project)
        found = found or _by_voxels(path, project)
    if found is None:
        where = f" and {project.root} has no such mask" if project else "; name a project with --project"
        raise BadInput(f"Nothing tells where {path} comes from: no sidecar, no record beside it{where}.")
    found.file, found.sha256 = str(path), sha256_of(path)
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


def _of_model(path: Path, project: Project | None) -> Explained:
    card = read_card(path)
    found = Explained(
        f"a model file with {card.network}, trained on {card.training_volumes} volumes",
        "what the file says of itself",
        product=card.network,
        chain=[link_of_network(card.network, card.origin, card.fingerprint, card.trained, card.version)],
        notes=[card.note, _how_it_predicts(card)],
    )
    if card.weights == "tiny":
        found.notes.insert(0, TINY)
    if project is not None and (chain := _chain_of_card(project, card)):
        found.chain, found.known_by = chain, f"its fingerprint in the project {project.root}"
    return found


def _how_it_predicts(card: ModelCard) -> str:
    """By which settings; they are no part of what made the network."""
    settings = settings_used(settings_of(card), *INFERENCE)
    return f"It predicts with {', '.join(f'{key}={value}' for key, value in settings.items())}."


def _chain_of_card(project: Project, card: ModelCard) -> list[Link]:
    made_from = project.checkpoint(card.network).made_from()
    same = made_from is not None and card_of(project, card.network).fingerprint == card.fingerprint
    return Provenance(project).of_network(card.network) if same else []


def _by_sidecar(path: Path) -> Explained | None:
    told = _json(beside(path))
    own = told.get(KEY)
    if not isinstance(own, Mapping) or not isinstance(own.get("Chain"), list):
        return None
    product = str(own.get("Array", ""))
    found = Explained(
        str(told.get("Description", product)),
        f"its sidecar {beside(path).name}",
        case=str(own.get("Case", "")),
        product=product,
        chain=[_link(entry) for entry in own["Chain"] if isinstance(entry, Mapping)],
        project=str(own.get("Project", "")),
    )
    if own.get("Weights") == "tiny":
        found.notes.append(TINY)
    if own.get("Stale"):
        found.notes.append(f"It was stale when it was exported: {own['Stale']}.")
    if own.get("MaskSha256") and digest_of_mask(read_volume(path).array) != own["MaskSha256"]:
        found.notes.append("Its voxels are not those that were exported: it was changed since.")
    return found


def _by_predictions(path: Path, project: Project | None) -> Explained | None:
    """A mask or a probability that `predict` wrote."""
    name = path.name.replace(PROBABILITY, "")
    for case, entry in predict_record.recorded(path.parent).items():
        stem = without_ending(path).removesuffix(PROBABILITY)
        if name == entry["mask"] or stem == without_ending(Path(entry["mask"])).removesuffix("_seg"):
            made_from = entry["made_from"]
            source = Link("source", "source", "", files={entry["image"]: str(made_from.get("image", ""))})
            chain, notes = _network_by_identity(project, str(made_from.get("network", "")))
            what = "tumour probability" if PROBABILITY in path.name else "mask"
            known = f"{predict_record.RECORD} beside it"
            last = Link("prediction", "file", "predict", made_from=["source"])
            links = [source, *chain, last]
            return Explained(
                f"{what} of {case} by `clisc predict`", known, case=case, chain=links, notes=notes
            )
    return None


def _network_by_identity(project: Project | None, identity: str) -> tuple[list[Link], list[str]]:
    """The chain of the network that predicted, if it is the project's or comes with clisc."""
    card = bundled_card()
    if identity_of(card) == identity:
        link = link_of_network(card.network, card.origin, card.fingerprint, card.trained, card.version)
        return [link], [TINY, f"By the models that come with clisc (`predict {BUNDLED}`). {card.note}"]
    if project is not None:
        trained = [n for n in (UNET_ROUND2, UNET_ROUND1) if project.checkpoint(n).made_from() is not None]
        for network in trained:
            if identity_of(card_of(project, network)) == identity:
                return Provenance(project).of_network(network), []
    where = f"none of {project.root}" if project else "no project was named (--project)"
    return [], [f"Which network made it is known by its fingerprint {identity} alone: {where}."]


def _by_record(path: Path, project: Project | None) -> Explained | None:
    """A file that a record of outputs knows: one beside it, or above it, as data sets have theirs."""
    digest, place = sha256_of(path), path.absolute()
    entries = [
        entry
        for folder in list(place.parents)[:DEPTH]
        for entry in entries_of(read_if_there(folder / OUTPUTS) or b"")
        if entry.get("file") == place.relative_to(folder).as_posix() and entry.get("sha256") == digest
    ]
    if not entries:
        return None
    entry = entries[-1]
    made_from = entry.get("made_from")
    made: Mapping[str, Any] = made_from if isinstance(made_from, Mapping) else {}
    when = f"written {entry.get('time', '')} by clisc {entry.get('version', '')}"
    found = Explained(f"{entry.get('what', 'file')}, {when}", f"the record {OUTPUTS}")
    array = str(made.get("array", ""))
    if project is not None and array:
        for case in project.cases():
            if case.info.sha256 == made.get("image"):
                return _in_project(found, project, case, array, str(made.get("fingerprint", "")))
    if project is not None and str(made.get("project", "")) == str(project.root.absolute()):
        provenance = Provenance(project)
        found.chain = [link for name in graph.NETWORKS for link in provenance.of_network(name)[-1:]]
        found.notes.append("It tells of the whole project; what trained its networks is listed.")
    if "network" in made and "project" not in made:
        found.chain, notes = _network_by_identity(project, str(made["network"]))
        found.notes += notes
    if not found.chain:
        facts = ", ".join(f"{key} {value}" for key, value in made.items())
        found.notes.append(f"Made from {facts or 'nothing that was noted'}.")
    return found


def _in_project(
    found: Explained, project: Project, case: CaseArrays, array: str, fingerprint: str
) -> Explained:
    found.case, found.product = case.info.name, array
    seal = case.seal(array)
    if seal is not None and seal.fingerprint == fingerprint:
        found.chain = Provenance(project).of_array(case, array)
    else:
        found.notes.append(f"{project.root} holds another {array} of {case.info.name} by now.")
    return found


def _by_voxels(path: Path, project: Project | None) -> Explained | None:
    """A mask that is a project's, whatever it is called and however it is packed."""
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
                found = Explained(
                    f"{_meaning(array)} of case {case.info.name}", "its voxels in the project"
                )
                return _in_project(found, project, case, array, seal.fingerprint)
    return None


def _meaning(array: str) -> str:
    product = graph.PRODUCTS.get(array)
    return f"{array}: {product.meaning}," if product else array


def _link(entry: Mapping[str, Any]) -> Link:
    """A link as a sidecar holds it; what another version added is left out."""
    known = {one.name for one in fields(Link)}
    plain = {key: value for key, value in entry.items() if key in known}
    return Link(**{**asdict(Link("", "", "")), **plain})


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_if_there(path) or b"")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
