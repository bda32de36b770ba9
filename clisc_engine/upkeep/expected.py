"""What a project must hold, so that `verify` sees what is gone.

The seal of an array names the arrays that it was made from. An array that nothing was made from, and whose
folder is gone, leaves no trace in the store; evidence of it is in tables, checkpoints and the journal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clisc_engine.errors import BadInput, Unreadable
from clisc_engine.files.reading import inside, read_if_there, reading
from clisc_engine.products.declared import ROWS
from clisc_engine.products.graph import ARRAYS, NETWORKS, STAGES
from clisc_engine.products.kinds import IMAGE, REFERENCE, ROUND1, SAM_ROUND1, SIMILARITIES
from clisc_engine.project.case_record import CaseInfo
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.project.store import Seal, Store
from clisc_engine.running import journal
from clisc_engine.stages import recipes
from clisc_engine.stages.evaluation import document as evaluation_document

MADE_IN: Mapping[str, tuple[str, ...]] = {
    step: tuple(name for name, array in ARRAYS.items() if array.command == step and array.cases == "all")
    for step in STAGES
}
"""The arrays that every case has after a run of these steps."""


@dataclass(frozen=True)
class Evidence:
    """That a case had an array.

    Attributes:
        name: of the array.
        reason: how that is known, as the end of a sentence.
        when: the evidence was written, UTC in ISO 8601; empty when nobody knows.
        outlasts: whether it also counts for a case that holds nothing any more.
    """

    name: str
    reason: str
    when: str = ""
    outlasts: bool = False


def evidence_by_case(root: Path, store: Store) -> dict[str, list[Evidence]]:
    """The arrays that each case had, after the trainings, the journal, the evaluation and S3F."""
    found: dict[str, list[Evidence]] = {}
    sources = (_by_trainings(root), _by_journal(root), _by_evaluation(store), _by_similarities(root))
    for case, one in (pair for source in sources for pair in source):
        found.setdefault(case, []).append(one)
    return found


def needed_arrays(
    seals: Mapping[str, Seal], evidence: Iterable[Evidence], info: CaseInfo | None
) -> dict[str, str]:
    """Arrays that a case must have, each with the reason.

    Evidence older than all that the case holds is of a project that was in the folder before, or of a case
    that was removed.
    """
    needed: dict[str, str] = {}
    first = min((seal.time for seal in seals.values()), default="9999")
    for known in evidence:
        if not known.when or known.when >= first or (known.outlasts and not seals):
            needed.setdefault(known.name, known.reason)
    for array, seal in seals.items():
        for source in seal.made_from:
            if source in ARRAYS and source != REFERENCE:
                needed.setdefault(source, f"{array} was made from it")
    for array, declared in ARRAYS.items():
        for one, other in ((array, declared.along_with), (declared.along_with, array)):
            if one and other in seals:
                needed.setdefault(one, f"it is made with {other}")
    if info is not None:
        needed[IMAGE] = "it was imported"
        if info.has_reference:
            needed[REFERENCE] = "it was imported"
    return needed


def needed_networks(root: Path, seals: Iterable[tuple[str, Seal]]) -> dict[str, str]:
    """Networks that the project must have, each with the reason.

    Args:
        root: the project's folder.
        seals: of all arrays, each with its path in the store.
    """
    needed: dict[str, str] = {}
    times: list[str] = []
    for path, seal in seals:
        times.append(seal.time)
        for source in seal.made_from:
            if source in NETWORKS:
                needed.setdefault(source, f"{path} was made with it")
    for entry in journal.read(root / "logs"):
        for name in entry.made:
            if name in NETWORKS and journal.end_of(entry) >= min(times, default="9999"):
                needed.setdefault(name, f"`clisc {entry.stage}` trained it at {journal.end_of(entry)}")
    return needed


def _by_trainings(root: Path) -> Iterator[tuple[str, Evidence]]:
    there: list[Path] = []
    with suppress(Unreadable):  # `verify` names the folder, and below the file, when it comes to them
        there = inside(root / "checkpoints")
    for path in (path for path in there if path.match("*.safetensors")):
        with suppress(BadInput, OSError):
            when = journal.stamp_of(path)
            for _, case, array in recipes.arrays_read(Checkpoint(path.parent, path.stem).made_from() or {}):
                yield case, Evidence(array, f"{path.stem} was trained on it", when, outlasts=True)


def _by_journal(root: Path) -> Iterator[tuple[str, Evidence]]:
    for entry in journal.read(root / "logs"):
        for array in MADE_IN.get(entry.stage, ()):
            for case in entry.made:
                yield (
                    case,
                    Evidence(
                        array,
                        f"`clisc {entry.stage}` made it by {journal.end_of(entry)}",
                        journal.end_of(entry),
                    ),
                )


def _by_evaluation(store: Store) -> Iterator[tuple[str, Evidence]]:
    document = evaluation_document.load(store) or {"cases": [], "time": ""}
    for measured in document["cases"]:
        if measured["name"] in ROWS:
            array = ROWS[measured["name"]]
            reason = "`clisc evaluate` measured it"
            yield measured["case"], Evidence(array, reason, document["time"], outlasts=True)


def _by_similarities(root: Path) -> Iterator[tuple[str, Evidence]]:
    path = root / SIMILARITIES
    text = read_if_there(path)
    if text is None:
        return
    with reading(path):
        when = journal.stamp_of(path)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):  # `self-train` writes it anew
        return
    for case in found if isinstance(found, dict) else ():
        for array in (ROUND1, SAM_ROUND1):
            yield case, Evidence(array, "S3F compared it", when)
