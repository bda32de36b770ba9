"""`verify`: read back all that counts as finished, and say what is damaged, missing or left over."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from clisc_engine.checkpoints import Checkpoint
from clisc_engine.control import Control
from clisc_engine.errors import BadInput
from clisc_engine.integrity import (
    GROUPS,
    array_problem,
    metadata_problem,
    state_problem,
    weights_problem,
)
from clisc_engine.project import (
    MADE_BY,
    RECORD,
    REFERENCE,
    SETTINGS_FILE,
    STAGING,
    STORE,
    CaseInfo,
    is_on_source_grid,
)
from clisc_engine.settings_file import read_settings
from clisc_engine.stages.expected import Claim, claims_on_cases, needed_arrays, needed_networks
from clisc_engine.store import Seal, Store

State = Literal["damaged", "missing", "left over", "to be made"]
What = Literal["settings", "group", "case", "array", "imported array", "weights", "training", "leftover"]
OUR_PARTIAL = re.compile(r"\..+\.\d+(\.old)?\.partial(\..+)?")
ZARR_PARTIAL = re.compile(r"\.[0-9a-f]{32}\.partial$")


@dataclass
class Finding:
    """Something that is not as it should be.

    Attributes:
        path: where, relative to the project.
        what: what it is, which decides how it is repaired.
        state: damaged and missing are faults; what is left over, or waits to be made, is harmless.
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
        return self.state in ("damaged", "missing") and not self.repaired


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
        Stopped: when asked to stop.
    """
    started = time.monotonic()
    result = Verified()
    store = Store(root / STORE)
    result.findings += _settings(root)
    names = _case_names(store, control)
    control.progress.begin("verify", len(names), "case")
    claims = claims_on_cases(root, store)
    seals: dict[str, Seal] = {}
    for name in names:
        result.findings += _case(store, name, claims.get(name, []), control, result, seals)
        control.progress.advance(name)
    control.progress.end()
    if not control.cases:
        result.findings += _groups(store)
        result.findings += _checkpoints(root, control, result)
        result.findings += _lost_checkpoints(root, seals)
        result.findings += _leftovers(root)
    result.seconds = round(time.monotonic() - started, 3)
    return result


def _settings(root: Path) -> Iterator[Finding]:
    try:
        read_settings(root / SETTINGS_FILE)
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
    names = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
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
    seals: dict[str, Seal] = {}
    named: set[str] = set()
    for array in _arrays_there(store.root / group):
        control.check_stop()
        if seal := store.seal(f"{group}/{array}"):
            seals[array] = all_seals[f"{name}/{array}"] = seal
            result.arrays += 1
        if found := _array(store, group, array, seal, _shape(info, array, seal)):
            named.add(array)
            yield found
    needed = needed_arrays(seals, claims, info)
    for array in sorted(needed.keys() - seals.keys() - named):
        why = f"it is gone, though {needed[array]}"
        yield Finding(f"{STORE}/{group}/{array}", _what(array), "missing", why, _remedy(array))


def _array(store: Store, group: str, array: str, seal: Seal | None, shape: list[int]) -> Finding | None:
    """What there is to say of one array's folder."""
    path, place = f"{group}/{array}", f"{STORE}/{group}/{array}"
    folder = store.root / path
    if seal is not None:
        problem = array_problem(store, path, array, seal, shape)
        if not problem or store.seal(path) != seal:  # remade by a stage meanwhile
            return None
        return Finding(place, _what(array), "damaged", problem, _remedy(array))
    if why := store.unsealed(path):
        return Finding(place, "array", "to be made", why, _remedy(array))
    problem = metadata_problem(folder) or "it has lost its seal"
    return Finding(place, _what(array), "damaged", problem, _remedy(array))


def _shape(info: CaseInfo | None, array: str, seal: Seal | None) -> list[int]:
    """(Z, Y, X) that an array must have; empty when that is not known."""
    if info is None:
        return []
    if array == REFERENCE and is_on_source_grid(seal):
        return [int(size) for size in reversed(info.placement["source"]["size"])]
    return [int(stop) - int(start) for start, stop in info.placement["crop"]]


def _arrays_there(case: Path) -> list[str]:
    """Names of the arrays whose folders are in a case, whatever their state."""
    found = [name for name in ("image", REFERENCE) if (case / name).is_dir()]
    for group in GROUPS:
        if (case / group).is_dir():
            inside = sorted(p.name for p in (case / group).iterdir() if p.is_dir())
            found += [f"{group}/{name}" for name in inside if not name.startswith(".")]
    return found


def _groups(store: Store) -> Iterator[Finding]:
    """Groups that no longer say that they are; the cases' own are looked at with the cases."""
    cases = sorted(p for p in (store.root / "cases").glob("*") if p.is_dir())
    folders = [store.root, store.root / "cases", *(store.root / "metrics").rglob("*")]
    folders += [case / group for case in cases for group in GROUPS]
    for folder in folders:
        if folder.is_dir() and (problem := metadata_problem(folder)):
            path = (Path(STORE) / folder.relative_to(store.root)).as_posix()
            yield Finding(path, "group", "damaged", problem)


def _checkpoints(root: Path, control: Control, result: Verified) -> Iterator[Finding]:
    folder = root / "checkpoints"
    for path in sorted(folder.glob("*.safetensors")):
        control.check_stop()
        result.checkpoints += 1
        if problem := weights_problem(folder, path.stem):
            command = MADE_BY.get(path.stem, "evaluate --ablation")
            remedy = f"run `clisc {command}`, which trains it again"
            yield Finding(f"checkpoints/{path.name}", "weights", "damaged", problem, remedy)
    for path in sorted(folder.glob("*.training*.pt")):
        control.check_stop()
        if problem := state_problem(path):
            remedy = "the training starts anew, or from the state before it"
            yield Finding(f"checkpoints/{path.name}", "training", "damaged", problem, remedy)


def _lost_checkpoints(root: Path, seals: Mapping[str, Seal]) -> Iterator[Finding]:
    """Weights that are gone, or were taken away and not made again."""
    for name, reason in sorted(needed_networks(root, seals.items()).items()):
        checkpoint = Checkpoint(root / "checkpoints", name)
        if checkpoint.weights.exists():
            continue
        why = checkpoint.taken_away()
        state: State = "to be made" if why else "missing"
        problem = why or f"it is gone, though {reason}"
        remedy = f"run `clisc {MADE_BY.get(name, 'evaluate --ablation')}`, which trains it again"
        yield Finding(f"checkpoints/{name}.safetensors", "weights", state, problem, remedy)


def _leftovers(root: Path) -> Iterator[Finding]:
    """What writers that were killed have begun; nothing reads it."""
    found = {path for path in root.rglob("*.partial*") if _is_partial(path)}
    outermost = [path for path in found if not found.intersection(path.parents)]
    for path in sorted(outermost):
        place = path.relative_to(root).as_posix()
        yield Finding(place, "leftover", "left over", "a writer that was killed left it")
    if (root / STAGING).exists():
        yield Finding(STAGING, "leftover", "left over", "an import that was killed at its end left it")


def _is_partial(path: Path) -> bool:
    """Whether this is the unfinished work of `store`, `imaging.volume` or zarr, by its name."""
    return bool(OUR_PARTIAL.fullmatch(path.name)) or bool(ZARR_PARTIAL.search(path.name) and path.is_file())


def _what(array: str) -> What:
    return "imported array" if array in ("image", REFERENCE) else "array"


def _remedy(array: str) -> str:
    if array in ("image", REFERENCE):
        return "`clisc verify --repair` imports it again from its source file"
    return f"run `clisc {MADE_BY.get(array, 'evaluate')}`, which makes it again"
