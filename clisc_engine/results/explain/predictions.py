"""Where a mask or a probability that `clisc predict` wrote comes from, and the scan that it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clisc_engine.files.case_names import normal
from clisc_engine.imaging.endings import ending_of, without_ending
from clisc_engine.imaging.source import hash_of
from clisc_engine.outputs.record import Written
from clisc_engine.project.project import Project
from clisc_engine.results import predict_record
from clisc_engine.results.explain.explained import UNNAMED, Explained, changed_since
from clisc_engine.results.explain.networks import by_identity
from clisc_engine.results.provenance import Link

PREDICT = "`clisc predict`"
_NOT_KNOWN = f"No record beside it has its SHA-256, so whether it is as {PREDICT} wrote it is not known."


def by_predictions(path: Path, written: Written | None, project: Project | None) -> Explained | None:
    """A file that the folder's record of predictions names, or the scan that one of them was made from.

    Args:
        path: of the file.
        written: what the record of outputs says of it; None when that has no file of its name.
        project: whose network may have made it.

    Raises:
        BadInput: when it cannot be read.
    """
    entries = predict_record.recorded(path.parent)
    for case, entry in entries.items():
        mask = Path(entry["mask"])
        names = {mask.name: "mask", _probability_beside(mask): "tumour probability"}
        if what := names.get(normal(path.name)):
            return _prediction(what, case, entry, written, project)
    digest = hash_of(path) if entries else ""
    for case, entry in entries.items():
        if digest == predict_record.made_from_of(entry).get("image"):
            return Explained(
                f"the scan that {PREDICT} made {entry['mask']} of {case} from,",
                f"its SHA-256 in {predict_record.RECORD} beside it",
                case=case,
                product="source",
                chain=[_source(str(entry["image"]), digest)],
            )
    return None


def chain_of_prediction(
    image: str, made_from: Mapping[str, Any], project: Project | None, *, time: str = "", version: str = ""
) -> tuple[list[Link], list[str]]:
    """All that led to a prediction, and notes on it.

    Args:
        image: path of the scan; empty where it was not kept.
        made_from: SHA-256 of the scan, fingerprint of the network, and its arithmetic where that was kept.
        project: whose network may have made it.
        time: when it was written, UTC; empty where that was not kept.
        version: of clisc; likewise.
    """
    network, notes, options = by_identity(project, str(made_from.get("network", "")))
    behind = ["source", *(link.product for link in network[-1:])]
    last = Link(
        "prediction",
        "file",
        "predict",
        time,
        version,
        device=str(made_from.get("device", "")),
        precision=str(made_from.get("precision", "")),
        options=options,
        made_from=behind,
    )
    return [_source(image, str(made_from.get("image", ""))), *network, last], notes


def _prediction(
    what: str, case: str, entry: Mapping[str, Any], written: Written | None, project: Project | None
) -> Explained:
    """The record of outputs has a line for each file that was ever written, so it knows the very one."""
    recorded = predict_record.made_from_of(entry)
    made_from, time, version = recorded, "", ""
    same = written is not None and written.same
    if written is not None and same:
        made_from, time, version = written.made_from, written.time, written.version
    image = str(entry["image"]) if made_from.get("image") == recorded.get("image") else ""
    chain, notes = chain_of_prediction(image, made_from, project, time=time, version=version)
    if not same:
        notes.insert(0, _NOT_KNOWN if written is None else changed_since(PREDICT))
    known_by = f"{predict_record.RECORD} beside it"
    return Explained(f"{what} of {case} by {PREDICT}", known_by, case=case, chain=chain, notes=notes)


def _probability_beside(mask: Path) -> str:
    """Name of the probability that `predict` writes beside a mask in a folder."""
    return f"{without_ending(mask).removesuffix('_seg')}_probability{ending_of(mask)}"


def _source(path: str, digest: str) -> Link:
    return Link("source", "source", "", files={path or UNNAMED: digest})
