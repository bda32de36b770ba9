"""Promoting a variant: its settings become the project's, and what it has made moves there.

What the project had of the same products moves into a variant of its former settings, so nothing is lost
and the way back is another promotion. Nothing is computed and nothing copied.

As with a change of cases, the plan is written down first (``variant-promotion.json``) and counts from then
on. It names every move, first those out of the project, then those into it; each may be done twice, and
whoever takes the project's lock next completes what a kill cut short.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.files.atomic import disk_faults, sync, write_atomically
from clisc_engine.files.reading import inside, is_there, read_if_there
from clisc_engine.files.words import shell_word
from clisc_engine.products.graph import NETWORKS, TABLES
from clisc_engine.products.kinds import EVALUATION, S3F_TABLE, SIMILARITIES
from clisc_engine.products.rivals import TABLE1
from clisc_engine.project import variants
from clisc_engine.project.lock import VARIANTS
from clisc_engine.project.pending_promotion import FILE, Promotion, parse, pending
from clisc_engine.project.project import SETTINGS_FILE, STORE, Project
from clisc_engine.project.store import SEAL, Store
from clisc_engine.settings.file import read_settings, write_changes
from clisc_engine.settings.keys import value_of

JOURNAL = Path("logs") / "runs.jsonl"
DISCARDED = Path("logs") / FILE
"""What the last promotion was that kept nothing of the project's own, which no variant tells then."""
HISTORY = Path("results") / "history"
WITHOUT_TUMOUR = "results/without_tumour.csv"
METRICS = {"metrics/evaluation": EVALUATION, "metrics/table1": TABLE1}
"""The groups in the store that hold what was measured, and the tables of it."""


def plan(project: Project, name: str, *, discard: bool = False) -> Promotion:
    """What the promotion of that variant would do; nothing is written.

    Raises:
        BadInput: when there is no such variant, or it lies over another one; or it is a sweep's and others
            lie over it.
    """
    record = variants.record_of(project, name)
    if record.over:
        raise BadInput(
            f"The variant {name!r} lies over {record.over!r} and rests on it; promote that one first."
        )
    if record.by_sweep and (others := variants.over_it(project, name)):
        raise BadInput(
            f"{name!r} is a value of a sweep, and its values {', '.join(others)} lie over it; change the "
            f"project instead: `clisc config set {shell_word(project.root)} ...`."
        )
    variant = variants.open_variant(project, name)
    changes = variants.values_of(variant, record.changes)
    into = _made_in(variant.root)
    there = {path for path in (*into, *_with_them(into)) if is_there(project.root / path)}
    return Promotion(
        name=name,
        former=_free_name(project, name),
        discard=discard,
        changes=changes,
        before={key: value_of(project.settings, key) for key in changes},
        out=sorted(there),
        into=into,
    )


def done_before(project: Project, name: str, *, discard: bool = False) -> Promotion | None:
    """The promotion of that variant, if it is done; None without it, and while there is such a variant.

    With ``discard`` it is the last one of those that kept nothing, else one whose former variant is there.
    """
    there = variants.variant_names(project)
    if name in there:
        return None
    if discard:
        last = parse(read_if_there(project.root / DISCARDED) or b"")
        return last if last is not None and last.name == name else None
    records = {one: variants.record_of(project, one) for one in there}
    former = next((one for one in sorted(records, reverse=True) if records[one].promoted == name), None)
    if former is None:
        return None
    before = records[former].changes
    changes = {key: value_of(project.settings, key) for key in before}
    return Promotion(name=name, former=former, changes=changes, before=before, out=[], into=[])


def promote(project: Project, todo: Promotion) -> None:
    """Carry a plan out; the project's lock is held, and no command is at work on a variant.

    Raises:
        DiskFault: when the disk does not take it; the next command that takes the lock goes on.
    """
    project.store.check_may_write()
    write_atomically(project.root / FILE, todo.model_dump_json().encode())
    _carry_out(project, todo)


def settle(project: Project) -> bool:
    """Complete a promotion that was cut short; whether there was one. The project's lock is held."""
    todo = pending(project.root)
    if todo is not None:
        _carry_out(project, todo)
    return todo is not None


def _carry_out(project: Project, todo: Promotion) -> None:
    root = project.root
    if is_there(root / VARIANTS / todo.name / variants.FILE):
        _move_all(project, todo)
        _adopt_settings(project, todo)
        variants.remove(project, todo.name)
    if todo.discard:
        variants.remove(project, todo.former)
    for name in (todo.name, todo.former):
        if variants.half_removed(project, name):
            variants.remove_the_rest(project, name)
    if todo.discard:
        _note_discarded(root, todo)
    with disk_faults(root / FILE):
        (root / FILE).unlink(missing_ok=True)


def _note_discarded(root: Path, todo: Promotion) -> None:
    """Let the same command, called again as after a kill, know that all is done."""
    with disk_faults(root / DISCARDED):
        (root / DISCARDED).parent.mkdir(parents=True, exist_ok=True)
    done = todo.model_copy(update={"out": [], "into": []})
    write_atomically(root / DISCARDED, done.model_dump_json().encode())


def _move_all(project: Project, todo: Promotion) -> None:
    """Move the project's out, then the variant's in: whatever is at its target has been moved already."""
    root = project.root
    variant, former = (root / VARIANTS / name for name in (todo.name, todo.former))
    with disk_faults(former):
        former.mkdir(parents=True, exist_ok=True)
    for path in todo.out:
        project.store.check_may_write()
        if not is_there(former / path):
            _move(root, former, path)
    for path in todo.into:
        project.store.check_may_write()
        if is_there(variant / path):
            _move(variant, root, path)
    project.store.check_may_write()
    _join_journal(root, variant)
    _join_history(root, variant)


def _adopt_settings(project: Project, todo: Promotion) -> None:
    """Write the settings of the project and of the former one; what lay over the variant follows."""
    write_changes(project.root / SETTINGS_FILE, todo.changes)
    project.settings = read_settings(project.root / SETTINGS_FILE)
    former = variants.Record(changes=todo.before, promoted=todo.name)
    variants.keep(variants.lay_over(project, todo.former, todo.before), former)
    for other in variants.over_it(project, todo.name):
        above = variants.record_of(project, other).model_copy(update={"over": ""})
        variants.keep(variants.lay_over(project, other, above.changes), above)


def _made_in(folder: Path) -> list[str]:
    """What a variant has made itself: sealed arrays, weights and states, logs, and tables of results."""
    store = Store(folder / STORE)
    cases = [f"cases/{name}" for name in store.children("cases")]
    arrays = [path for case in cases for path in _sealed(store, case)]
    metrics = [f"metrics/{name}" for name in store.children("metrics")]
    found = [f"{STORE}/{path}" for path in (*arrays, *metrics)]
    for place in ("checkpoints", "logs", "results"):
        for path in inside(folder / place):
            if _is_product(place, path):
                found.append(f"{place}/{path.name}")
    return found


def _is_product(place: str, path: Path) -> bool:
    network = path.name.partition(".")[0]
    if place == "checkpoints":
        return network in NETWORKS
    if place == "logs":
        return path.name != JOURNAL.name
    return f"results/{path.name}" in {*TABLES, WITHOUT_TUMOUR}


def _sealed(store: Store, group: str) -> list[str]:
    found: list[str] = []
    for name in store.children(group):
        path = f"{group}/{name}"
        found += [path] if SEAL in store.own_attributes(path) else _sealed(store, path)
    return found


def _with_them(paths: Iterable[str]) -> list[str]:
    """What goes out of the project with what takes its place, though the variant has none of it.

    What was measured of masks that move is of those, and a network's files tell of each other.
    """
    named = {path.removeprefix(f"{STORE}/") for path in paths}
    arrays = {"/".join(Path(path).parts[2:]) for path in named if path.startswith("cases/")}
    found: list[str] = []
    for group, table in METRICS.items():
        if group in named or arrays.intersection(TABLES[table].inputs):
            command = TABLES[table].command
            found += [f"{STORE}/{group}", *(name for name in TABLES if TABLES[name].command == command)]
            found += [WITHOUT_TUMOUR] if table == EVALUATION else []
    if named.intersection((SIMILARITIES, S3F_TABLE)):
        found += [SIMILARITIES, S3F_TABLE]
    names = {Path(path).name.partition(".")[0] for path in named if path.startswith("checkpoints/")}
    endings = ("safetensors", "training.pt", "training-before.pt", "curve.csv", "removed.txt")
    return [*found, *(f"checkpoints/{name}.{ending}" for name in names for ending in endings)]


def _move(origin: Path, target: Path, path: str) -> None:
    """Move a file or an array in one step; there is none at the target."""
    if path.startswith(f"{STORE}/"):
        Store(target / STORE).adopt(path.removeprefix(f"{STORE}/"), Store(origin / STORE))
        return
    place = target / path
    with disk_faults(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        (origin / path).rename(place)
        sync(place.parent)


def _join_journal(root: Path, variant: Path) -> None:
    """Add the variant's runs to the project's, whose results they are now."""
    lines = (read_if_there(variant / JOURNAL) or b"").splitlines()
    there = (read_if_there(root / JOURNAL) or b"").splitlines()
    new = [line for line in lines if line not in set(there)]
    if new:
        with disk_faults(root / JOURNAL):
            (root / JOURNAL).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(root / JOURNAL, b"\n".join([*there, *new]) + b"\n")


def _join_history(root: Path, variant: Path) -> None:
    """Let the project have the variant's evaluations beside its own."""
    for path in inside(variant / HISTORY):
        place = root / HISTORY / path.name
        with disk_faults(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            if not is_there(place):
                path.replace(place)


def _free_name(project: Project, name: str) -> str:
    """E.g. ``before-t10``, or with a number behind it."""
    fit = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-") or "variant"
    taken = {other.casefold() for other in variants.variant_names(project)}
    names = (f"before-{fit}{f'-{count}' if count else ''}" for count in range(len(taken) + 1))
    return next(one for one in names if one.casefold() not in taken)
