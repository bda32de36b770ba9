"""`verify`: read back all that counts as finished, and say what is damaged, missing or left over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from clisc_engine.errors import BadInput, Unreadable
from clisc_engine.files.reading import is_there, reading
from clisc_engine.products.graph import GROUPS, MADE_BY
from clisc_engine.products.kinds import SIMILARITIES
from clisc_engine.project.integrity import metadata_problem
from clisc_engine.project.project import SETTINGS_FILE, STORE
from clisc_engine.project.store import Seal, Store
from clisc_engine.running.control import Control
from clisc_engine.settings.file import read_settings
from clisc_engine.stages.s3f.similarity import outdated_similarities
from clisc_engine.upkeep.expected import Evidence, evidence_by_case
from clisc_engine.upkeep.findings import Finding, Verified, unreadable
from clisc_engine.upkeep.leftovers import leftovers
from clisc_engine.upkeep.verify_case import CaseReader
from clisc_engine.upkeep.verify_networks import lost_networks, state_findings, weight_findings


def verify(root: Path, control: Control) -> Verified:
    """Check settings, store and checkpoints of a project; changes nothing.

    Args:
        root: the project's folder.
        control: progress, stop, and the cases to look at; all, with the checkpoints, without any.

    Raises:
        BadInput: when there is no case of a name.
        Unreadable: when the cases cannot be listed.
        Stopped: when asked to stop.
    """
    started = time.monotonic()
    result = Verified()
    store = Store(root / STORE)
    result.findings += _settings(root)
    seals = _cases(root, store, control, result)
    result.arrays = len(seals)
    if not control.cases:
        result.findings += _groups(store)
        weights = sorted((root / "checkpoints").glob("*.safetensors"))
        result.checkpoints = len(weights)
        result.findings += weight_findings(root, weights, control.check_stop)
        result.findings += state_findings(root, control.check_stop)
        try:
            result.findings += list(lost_networks(root, seals))
        except Unreadable as error:  # the cases' evidence may have met the same file
            again = unreadable(root, error, "record")
            result.findings += [again] if again not in result.findings else []
        result.findings += _tables(root)
        result.findings += leftovers(root)
    result.seconds = round(time.monotonic() - started, 3)
    return result


def _cases(root: Path, store: Store, control: Control, result: Verified) -> dict[str, Seal]:
    """Read the cases and note what is wrong with them; the seals of all arrays, by case and array."""
    names = _case_names(store, control)
    control.progress.begin("verify", len(names), "case")
    evidence: dict[str, list[Evidence]] = {}
    try:
        evidence = evidence_by_case(root, store)
    except Unreadable as error:
        result.findings += [unreadable(root, error, "record")]
    all_seals: dict[str, Seal] = {}
    for name in names:
        seals: dict[str, Seal] = {}
        try:
            reader = CaseReader.of(store, name)
            result.findings += reader.findings(evidence.get(name, []), seals, control.check_stop)
        except Unreadable as error:
            result.findings += [unreadable(root, error, "case")]
        all_seals |= {f"{name}/{array}": seal for array, seal in seals.items()}
        control.progress.advance(name)
    control.progress.end()
    return all_seals


def _case_names(store: Store, control: Control) -> list[str]:
    folder = store.root / "cases"
    with reading(folder):
        names = sorted(p.name for p in folder.iterdir() if p.is_dir()) if is_there(folder) else []
    if unknown := [name for name in control.cases if name not in names]:
        raise BadInput(f"No case {', '.join(unknown)}; there are {', '.join(names[:8]) or 'none'}.")
    return [name for name in names if not control.cases or name in control.cases]


def _settings(root: Path) -> Iterator[Finding]:
    try:
        read_settings(root / SETTINGS_FILE)
    except Unreadable as error:
        yield unreadable(root, error, "settings")
    except BadInput as error:
        yield Finding(
            SETTINGS_FILE,
            "settings",
            "damaged",
            str(error),
            "mend it by hand, or put back a copy: it holds your choices, which nothing else knows",
        )


def _groups(store: Store) -> Iterator[Finding]:
    """Groups that no longer say that they are; the cases' own are looked at with the cases."""
    cases = sorted(p for p in (store.root / "cases").glob("*") if p.is_dir())
    folders = [store.root, store.root / "cases", *(store.root / "metrics").rglob("*")]
    folders += [case / group for case in cases for group in GROUPS]
    for folder in folders:
        try:
            if is_there(folder) and folder.is_dir() and (problem := metadata_problem(folder)):
                path = (Path(STORE) / folder.relative_to(store.root)).as_posix()
                # A writer that was killed, or whose disk failed, had made the folder and no more.
                begun = all(inside.name.startswith(".") for inside in folder.iterdir())
                yield Finding(path, "group", "left over" if begun else "damaged", problem)
        except Unreadable as error:
            yield unreadable(store.root.parent, error, "group")


def _tables(root: Path) -> Iterator[Finding]:
    """Results of an earlier revision."""
    if earlier := outdated_similarities(root / SIMILARITIES):
        remedy = f"run `clisc {MADE_BY[SIMILARITIES]}`, which compares again"
        yield Finding(SIMILARITIES, "table", "to be made", earlier, remedy)
