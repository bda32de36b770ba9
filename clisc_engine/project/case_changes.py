"""Removing, renaming and moving cases of a project that is there.

A change is written down first (``case-change.json``), and counts from then on: each of its steps may be
done twice, and whoever takes the project's lock next completes what a kill cut short (`settle`). So a
project has the change whole or not at all. Variants have folders of the same cases, and change with it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from clisc_engine.errors import BadInput, Unreadable
from clisc_engine.files.atomic import disk_faults, take_away, write_atomically
from clisc_engine.files.case_names import meant, why_no_case_name
from clisc_engine.files.reading import inside, is_there, read_if_there
from clisc_engine.files.tables import read_table, write_table
from clisc_engine.files.words import shell_word
from clisc_engine.products.kinds import S3F_TABLE, SIMILARITIES
from clisc_engine.project import manifest
from clisc_engine.project.case_record import CaseInfo, recorded, replace_record
from clisc_engine.project.lock import VARIANTS
from clisc_engine.project.pending_change import FILE, Change, pending
from clisc_engine.project.project import STORE, Project
from clisc_engine.project.store import Store
from clisc_engine.project.variant_locks import refuse_while_variants_work


def check(project: Project, change: Change, begun: Change | None = None) -> Change:
    """The change without what is so already; ``begun`` was cut short, and has been completed by now.

    Raises:
        BadInput: when a case is not there, or a new name is taken or is none.
    """
    infos = {case.info.name: case.info for case in project.cases()}
    listed = manifest.read(project.store) or manifest.Manifest()
    gone = {*project.lost_cases(), *listed.removed}
    there = {*infos, *project.lost_cases()}
    done = [name for name in change.remove if name not in there and name in gone]
    done += [
        old
        for old, new in change.rename.items()
        if old not in there
        and (
            (listed.renamed.get(old) == new and listed.leads_on(new))
            or (new in infos and (infos[new].identity == old or (begun and begun.rename.get(old) == new)))
        )
    ]
    known = there if change.remove else {*infos}
    if unknown := [name for name in change.names if name not in known and name not in done]:
        names = ", ".join(unknown) + (meant(unknown[0], sorted(known)) if len(unknown) == 1 else "")
        command = f"clisc cases list {shell_word(project.root)}"
        raise BadInput(f"{project.root} has no case {names}; `{command}` lists them.")
    rename = {old: new for old, new in change.rename.items() if old not in done}
    for old, new in rename.items():
        _check_name(old, new, infos)
    move = {name: split for name, split in change.move.items() if infos[name].split != split}
    return Change(remove=tuple(n for n in change.remove if n not in done), rename=rename, move=move)


def apply(project: Project, change: Change) -> None:
    """Carry a checked change out; the project's lock is held.

    Raises:
        BadInput: when a command is at work on a variant.
        DiskFault: when the disk does not take it; the next command that takes the lock goes on.
    """
    if not change.names:
        return
    refuse_while_variants_work(project.root)
    project.store.check_may_write()
    write_atomically(project.root / FILE, change.model_dump_json().encode())
    _carry_out(project, change)


def settle(project: Project) -> bool:
    """Complete a change that was cut short, and bring the manifest up to date; whether there was a change.

    The project's lock is held.
    """
    change = pending(project.root)
    if change is not None:
        _carry_out(project, change)
    with suppress(Unreadable):  # then it is listed another time
        manifest.bring_up_to_date(project.store)
    return change is not None


def stores_of(project: Project) -> list[Store]:
    """The project's store, and the folders of its variants' stores, each without what lies below it.

    Raises:
        Unreadable: when the variants cannot be listed now.
    """
    folders = [folder / STORE for folder in inside(project.root / VARIANTS)]
    found = [Store(folder) for folder in folders if is_there(folder)]
    for store in found:
        store.check_may_write = project.store.check_may_write
    return [project.store, *found]


def _carry_out(project: Project, change: Change) -> None:
    for name in change.remove:
        _remove(project, name)
    for old, new in change.rename.items():
        _rename(project, old, new)
    present = []
    for name, split in change.move.items():
        info = project.case(name).info
        if info.split != split:
            info = replace(info, split=split)
            project.change_record(info)
        present.append(info)
    if present:
        manifest.note(project.store, present)
    with disk_faults(project.root / FILE):
        (project.root / FILE).unlink(missing_ok=True)


def _remove(project: Project, name: str) -> None:
    info = recorded(project.store, name)
    for store in reversed(stores_of(project)):
        store.check_may_write()
        _take_out(store.root / "cases" / name)
    for key in {name, info.identity if info else name}:
        with suppress(OSError):  # the cache holds no results
            shutil.rmtree(project.cache / "embeddings" / key, ignore_errors=True)
    manifest.note(project.store, gone=[name])


def _rename(project: Project, old: str, new: str) -> None:
    change = Change(rename={old: new})
    for store in reversed(stores_of(project)):
        if not (store.root / "cases" / old).is_dir():
            continue
        info = recorded(store, old)
        if info is not None and info.name == old and (changed := change.of(info)) is not None:
            replace_record(store, old, changed)
        store.rename(f"cases/{old}", f"cases/{new}")
    for folder in [project.root, *(store.root.parent for store in stores_of(project)[1:])]:
        _rename_in_similarities(folder, old, new)
    manifest.note(project.store, [project.case(new).info], gone=[old], renamed=change.rename)


def _rename_in_similarities(folder: Path, old: str, new: str) -> None:
    """Let S3F's records know a case by its new name, since they choose by it what round 2 learns from."""
    path = folder / SIMILARITIES
    if is_there(path):
        with suppress(ValueError, RecursionError):  # `self-train` writes what is not whole anew
            found = json.loads(read_if_there(path) or b"")
            if isinstance(found, dict) and old in found:
                renamed = {new if name == old else name: value for name, value in found.items()}
                write_atomically(path, json.dumps(renamed, indent=1).encode())
    table = folder / S3F_TABLE
    if is_there(table):
        rows = read_table(table, ("case",), "case")
        if any(row.values["case"] == old for row in rows):
            named: list[Mapping[str, object]] = [
                {**row.values, "case": new if row.values["case"] == old else row.values["case"]}
                for row in rows
            ]
            write_table(table, list(rows[0].values), named)


def _take_out(folder: Path) -> None:
    """Remove a case's folder by one move; the folder of the cases stays."""
    if folder.is_dir():
        take_away(folder)


def _check_name(old: str, new: str, infos: Mapping[str, CaseInfo]) -> None:
    if why := why_no_case_name(new, "the new name"):
        raise BadInput(why)
    others = {info.identity: name for name, info in infos.items() if name != old}
    if new in infos or new.casefold() in {name.casefold() for name in infos if name != old}:
        raise BadInput(f"{old} cannot be renamed to {new}: there is a case of that name.")
    if new in others:
        raise BadInput(
            f"{old} cannot be renamed to {new}: {others[new]} was imported under that name, and networks "
            "know it by that."
        )
