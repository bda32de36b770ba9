"""`verify`: read back all that counts as finished, and say what is damaged, missing or left over."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from clisc_engine.errors import BadInput, Unreadable
from clisc_engine.files.reading import inside, is_there, reading, walk
from clisc_engine.products.graph import ARRAYS, GROUPS, IMPORTED, MADE_BY, NETWORKS, command_for, outdated
from clisc_engine.products.kinds import REFERENCE, SIMILARITIES
from clisc_engine.project.checkpoints import ASIDE, Checkpoint
from clisc_engine.project.integrity import array_problem, metadata_problem, state_problem, weights_problem
from clisc_engine.project.project import (
    ADDING,
    RECORD,
    SETTINGS_FILE,
    STAGING,
    STORE,
    CaseInfo,
    is_on_source_grid,
)
from clisc_engine.project.store import Seal, Store
from clisc_engine.running.control import Control
from clisc_engine.settings.file import read_settings
from clisc_engine.stages.s3f.similarity import outdated_similarities
from clisc_engine.upkeep.expected import Claim, claims_on_cases, needed_arrays, needed_networks

State = Literal["damaged", "missing", "unreadable", "left over", "to be made"]
What = Literal[
    "settings",
    "group",
    "case",
    "array",
    "imported array",
    "weights",
    "training",
    "record",
    "table",
    "leftover",
]
AWAY = "look at the disk, its rights and the memory, and verify again; what cannot be read is left as it is"
OUR_PARTIAL = re.compile(r"\..+\.\d+(\.old)?\.partial(\..+)?")
ZARR_PARTIAL = re.compile(r"\.[0-9a-f]{32}\.partial$")


@dataclass
class Finding:
    """Something that is not as it should be.

    Attributes:
        path: where, relative to the project.
        what: what it is, which decides how it is repaired.
        state: damaged and missing are faults; so is unreadable, of which nothing else is known; what is
            left over, or waits to be made, is harmless.
        problem: what is wrong with it.
        remedy: what to do, or what was done.
        repaired: whether ``--repair`` saw to it.
    """

    path: str
    what: What
    state: State
    problem: str
    remedy: str = ""
    repaired: bool = False

    @property
    def is_fault(self) -> bool:
        """Whether something that was finished is lost and was not seen to."""
        return self.state in ("damaged", "missing", "unreadable") and not self.repaired


@dataclass
class Verified:
    """What `verify` read and found."""

    arrays: int = 0
    checkpoints: int = 0
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def faults(self) -> list[Finding]:
        """The findings that leave the project damaged."""
        return [finding for finding in self.findings if finding.is_fault]


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
    names = _case_names(store, control)
    control.progress.begin("verify", len(names), "case")
    claims: dict[str, list[Claim]] = {}
    try:
        claims = claims_on_cases(root, store)
    except Unreadable as error:
        result.findings += [_unreadable(root, error, "record")]
    seals: dict[str, Seal] = {}
    for name in names:
        _take(_case(store, name, claims.get(name, []), control, result, seals), root, "case", result)
        control.progress.advance(name)
    control.progress.end()
    if not control.cases:
        _take(_groups(store), root, "group", result)
        _take(_checkpoints(root, control, result), root, "weights", result)
        _take(_lost_checkpoints(root, seals), root, "record", result)
        _take(_tables(root), root, "table", result)
        _take(_leftovers(root), root, "leftover", result)
    result.seconds = round(time.monotonic() - started, 3)
    return result


def _take(found: Iterator[Finding], root: Path, what: What, result: Verified) -> None:
    """Add findings; what cannot be read on the way is one too, and nothing in it is named again."""
    known = [Path(one.path) for one in result.findings if one.state == "unreadable"]

    def add(one: Finding) -> None:
        if one.state != "unreadable" or not any(Path(one.path).is_relative_to(path) for path in known):
            result.findings.append(one)

    try:
        for one in found:
            add(one)
    except Unreadable as error:
        add(_unreadable(root, error, what))


def _unreadable(root: Path, error: Unreadable, what: What) -> Finding:
    """That something may be whole, but cannot be read now."""
    path = error.path.relative_to(root) if error.path.is_relative_to(root) else error.path
    place = (path.parent if path.name == "zarr.json" else path).as_posix()
    why = error.__cause__ or error
    return Finding(place, what, "unreadable", f"it cannot be read now ({_reason(why)})", AWAY)


def _reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "memory does not suffice"
    return str(getattr(error, "strerror", None) or error)


def _settings(root: Path) -> Iterator[Finding]:
    try:
        read_settings(root / SETTINGS_FILE)
    except Unreadable as error:
        yield _unreadable(root, error, "settings")
    except BadInput as error:
        yield Finding(
            SETTINGS_FILE,
            "settings",
            "damaged",
            str(error),
            "mend it by hand, or put back a copy: it holds your choices, which nothing else knows",
        )


def _case_names(store: Store, control: Control) -> list[str]:
    folder = store.root / "cases"
    with reading(folder):
        names = sorted(p.name for p in folder.iterdir() if p.is_dir()) if is_there(folder) else []
    if unknown := [name for name in control.cases if name not in names]:
        raise BadInput(f"No case {', '.join(unknown)}; there are {', '.join(names[:8]) or 'none'}.")
    return [name for name in names if not control.cases or name in control.cases]


def _case(
    store: Store,
    name: str,
    claims: Sequence[Claim],
    control: Control,
    result: Verified,
    all_seals: dict[str, Seal],
) -> Iterator[Finding]:
    """One case: its record, every array that is there, and those that should be; notes its seals."""
    group = f"cases/{name}"
    info = CaseInfo.parse(store.attributes(group).get(RECORD))
    if info is None:
        why = "the record of its split, grid and source is lost"
        yield Finding(f"{STORE}/{group}", "case", "damaged", metadata_problem(store.root / group) or why)
    split = info.split if info else ""
    seals: dict[str, Seal] = {}
    named: set[str] = set()
    for array in _arrays_there(store.root / group):
        control.check_stop()
        try:
            if seal := store.seal(f"{group}/{array}"):
                seals[array] = all_seals[f"{name}/{array}"] = seal
                result.arrays += 1
            found = _array(store, group, array, seal, _shape(info, array, seal), split)
        except Unreadable as error:
            found = _unreadable(store.root.parent, error, _what(array))
            found.path = f"{STORE}/{group}/{array}"  # whichever of its files it was
        if found:
            named.add(array)
            yield found
        elif seal and (earlier := outdated(array, seal.made_from)):
            place = f"{STORE}/{group}/{array}"
            yield Finding(place, "array", "to be made", earlier, _remedy(array, split))
    needed = needed_arrays(seals, claims, info)
    for array in sorted(needed.keys() - seals.keys() - named):
        why = f"it is gone, though {needed[array]}"
        yield Finding(f"{STORE}/{group}/{array}", _what(array), "missing", why, _remedy(array, split))


def _array(
    store: Store, group: str, array: str, seal: Seal | None, shape: list[int], split: str
) -> Finding | None:
    """What there is to say of one array's folder."""
    path, place = f"{group}/{array}", f"{STORE}/{group}/{array}"
    folder = store.root / path
    if seal is not None:
        problem = array_problem(store, path, array, seal, shape)
        if not problem or store.seal(path) != seal:  # remade by a stage meanwhile
            return None
        return Finding(place, _what(array), "damaged", problem, _remedy(array, split))
    if why := store.unsealed(path):
        return Finding(place, "array", "to be made", why, _remedy(array, split))
    problem = metadata_problem(folder) or "it has lost its seal"
    return Finding(place, _what(array), "damaged", problem, _remedy(array, split))


def _shape(info: CaseInfo | None, array: str, seal: Seal | None) -> list[int]:
    """(Z, Y, X) that an array must have; empty when that is not known."""
    if info is None:
        return []
    if array == REFERENCE and is_on_source_grid(seal):
        return [int(size) for size in reversed(info.placement["source"]["size"])]
    return [int(stop) - int(start) for start, stop in info.placement["crop"]]


def _arrays_there(case: Path) -> list[str]:
    """Names of the arrays whose folders are in a case, whatever their state."""
    with reading(case):
        found = [name for name in IMPORTED if (case / name).is_dir()]
        for group in GROUPS:
            if (case / group).is_dir():
                inside = sorted(p.name for p in (case / group).iterdir() if p.is_dir())
                found += [f"{group}/{name}" for name in inside if not name.startswith(".")]
    return found


def _groups(store: Store) -> Iterator[Finding]:
    """Groups that no longer say that they are; the cases' own are looked at with the cases."""
    away: list[Unreadable] = []
    cases = [path for path in inside(store.root / "cases") if path.is_dir()]
    folders = [store.root, store.root / "cases", *walk(store.root / "metrics", away.append)]
    folders += [case / group for case in cases for group in GROUPS]
    for folder in folders:
        try:
            if is_there(folder) and folder.is_dir() and (problem := metadata_problem(folder)):
                place = (Path(STORE) / folder.relative_to(store.root)).as_posix()
                # A writer that was killed, or whose disk failed, had made the folder and no more.
                begun = all(path.name.startswith(".") for path in inside(folder))
                yield Finding(place, "group", "left over" if begun else "damaged", problem)
        except Unreadable as error:
            away.append(error)
    for unlisted in away:
        yield _unreadable(store.root.parent, unlisted, "group")


def _checkpoints(root: Path, control: Control, result: Verified) -> Iterator[Finding]:
    folder = root / "checkpoints"
    try:
        there = inside(folder)
    except Unreadable as error:
        yield _unreadable(root, error, "weights")
        return
    for path in (path for path in there if path.match("*.safetensors")):
        control.check_stop()
        result.checkpoints += 1
        try:
            problem = weights_problem(folder, path.stem)
        except Unreadable as error:
            yield _unreadable(root, error, "weights")
            continue
        if problem:
            remedy = _remedy_of_network(path.stem)
            yield Finding(f"checkpoints/{path.name}", "weights", "damaged", problem, remedy)
        elif earlier := outdated(path.stem, Checkpoint(folder, path.stem).made_from() or {}):
            remedy = _remedy_of_network(path.stem)
            yield Finding(f"checkpoints/{path.name}", "weights", "to be made", earlier, remedy)
    for path in (path for path in there if path.match("*.training*.pt")):
        control.check_stop()
        try:
            problem = state_problem(path)
        except Unreadable as error:
            yield _unreadable(root, error, "training")
            continue
        if problem:
            remedy = "the training starts anew, or from the state before it"
            yield Finding(f"checkpoints/{path.name}", "training", "damaged", problem, remedy)


def _lost_checkpoints(root: Path, seals: Mapping[str, Seal]) -> Iterator[Finding]:
    """Weights that are gone, or were taken away and not made again."""
    for name, reason in sorted(needed_networks(root, seals.items()).items()):
        checkpoint = Checkpoint(root / "checkpoints", name)
        if is_there(checkpoint.weights):
            continue
        why = checkpoint.taken_away()
        state: State = "to be made" if why else "missing"
        problem = why or f"it is gone, though {reason}"
        place = f"checkpoints/{name}.safetensors"
        yield Finding(place, "weights", state, problem, _remedy_of_network(name))


def _tables(root: Path) -> Iterator[Finding]:
    """Results of an earlier revision."""
    if earlier := outdated_similarities(root / SIMILARITIES):
        remedy = f"run `clisc {MADE_BY[SIMILARITIES]}`, which compares again"
        yield Finding(SIMILARITIES, "table", "to be made", earlier, remedy)


def _leftovers(root: Path) -> Iterator[Finding]:
    """What writers that were killed have begun, which nothing reads; and folders that cannot be listed."""
    away: list[Unreadable] = []
    there = list(walk(root, away.append))
    found = {path for path in there if _is_partial(path)}
    for error in away:
        yield _unreadable(root, error, "leftover")
    outermost = [path for path in found if not found.intersection(path.parents)]
    for path in sorted(outermost):
        place = path.relative_to(root).as_posix()
        yield Finding(place, "leftover", "left over", "a writer that was killed left it")
    for path in (path for path in there if path.parent == root / "checkpoints" and path.match(f"*{ASIDE}")):
        place = path.relative_to(root).as_posix()
        yield Finding(place, "leftover", "left over", "a damaged training state that was put aside")
    if (root / STAGING).exists():
        yield Finding(STAGING, "leftover", "left over", "an import that was killed at its end left it")
    if (root / ADDING).exists():
        why = "a second `clisc init` that was interrupted left it; the same command goes on"
        yield Finding(ADDING, "leftover", "left over", why)


def _is_partial(path: Path) -> bool:
    """Whether this is the unfinished work of `store`, `imaging.volume` or zarr, by its name."""
    return bool(OUR_PARTIAL.fullmatch(path.name)) or bool(ZARR_PARTIAL.search(path.name) and path.is_file())


def _what(array: str) -> What:
    return "imported array" if array in IMPORTED else "array"


def _remedy(array: str, split: str) -> str:
    if array in IMPORTED:
        return "`clisc verify --repair` imports it again from its source file"
    if array not in ARRAYS:
        return "no step of clisc makes it, so it has to be put back from a copy"
    return f"run `clisc {command_for(array, split)}`, which makes it again"


def _remedy_of_network(name: str) -> str:
    if name not in NETWORKS:
        return "no step of clisc trains it, so it has to be put back from a copy"
    return f"run `clisc {MADE_BY[name]}`, which trains it again"
