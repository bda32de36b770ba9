"""`verify --repair`: remove or restore what is damaged, and only that."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

from clisc_engine.errors import BadInput, DiskFault, Home, Unreadable
from clisc_engine.files.atomic import disk_faults
from clisc_engine.files.words import shell_word
from clisc_engine.importing.cases import import_again
from clisc_engine.importing.origin import settings_of_import
from clisc_engine.products.graph import EVALUATE
from clisc_engine.products.kinds import IMAGE, REFERENCE
from clisc_engine.project import manifest
from clisc_engine.project.case_record import RECORD, CaseInfo
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.project.lock import VARIANTS
from clisc_engine.project.project import SETTINGS_FILE, STORE, Project
from clisc_engine.project.store import Store
from clisc_engine.running.control import Control
from clisc_engine.settings.file import read_settings
from clisc_engine.settings.schema import Settings
from clisc_engine.upkeep.findings import Finding, Verified


def repair(root: Path, found: Verified, control: Control) -> None:
    """Repair every finding that can be repaired, and note in it what was done.

    Damaged arrays lose their seal and their data, images and references are imported again from
    their source files, records of cases are restored, damaged checkpoints and leftovers are removed.
    Records come first, since they name the sources of the images. What cannot be read now may be whole and
    is left as it is.

    Raises:
        DiskFault: when the disk does not take it.
        Stopped: when another command has taken the project's lock over.
    """
    order = {"manifest": 0, "group": 0, "case": 1}
    for finding in sorted(found.findings, key=lambda finding: order.get(finding.what, 2)):
        control.check_may_write()
        if finding.state not in ("to be made", "unreadable", "doubtful"):
            try:
                _repair(root, finding)
            except Unreadable as error:
                finding.remedy = str(error)


def _repair(root: Path, finding: Finding) -> None:
    path = root / finding.path
    store = Store(_store_of(root, path))
    inside = path.relative_to(store.root).as_posix() if path.is_relative_to(store.root) else ""
    if finding.what == "array":
        store.unseal(inside, finding.problem)
        finding.repaired = True
    elif finding.what == "imported array":
        _import_again(root, store, inside, finding)
    elif finding.what == "case" and finding.state == "missing":
        _restore_case(root, store, inside, finding)
    elif finding.what == "case":
        _restore_record(store, inside, finding)
    elif finding.what == "manifest":
        manifest.write(store, manifest.of_store(store))
        finding.repaired, finding.remedy = True, "made anew from the cases that are there"
    elif finding.what == "group":
        _restore_group(root, store, path, finding)
    elif finding.what == "weights":
        with disk_faults(path):
            Checkpoint(path.parent, path.stem).take_away(finding.problem)
        finding.repaired = True
    elif finding.what in ("training", "history", "leftover"):
        with disk_faults(path):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        finding.repaired = True
        finding.remedy = f"removed; {finding.remedy}" if finding.remedy else "removed"


def _store_of(root: Path, path: Path) -> Path:
    """The store that a finding is about: the project's, or that of the variant that the path is in."""
    parts = path.relative_to(root).parts
    return root.joinpath(*(parts[:2] if parts[:1] == (VARIANTS,) else ()), STORE)


def _import_again(root: Path, store: Store, path: str, finding: Finding) -> None:
    group, array = path.rsplit("/", 1)
    info = CaseInfo.parse(store.attributes(group).get(RECORD))
    if info is None:
        finding.remedy = "the record that tells its source is lost"
        return
    seal = store.seal(f"{group}/image")
    default = _settings(root)
    if seal is None and default is None:
        finding.remedy = f"mend {SETTINGS_FILE} first, since it tells how to import it"
        return
    settings = default or Settings()
    try:
        import_again(Project(root, settings), info, array, settings_of_import(seal, settings.image))
    except (DiskFault, Unreadable):
        raise
    except BadInput as error:
        source = info.source if array == "image" else info.reference_source
        finding.remedy = (
            f"{error}; put that file back and repair again, or {_removed_by(root, info.name)} "
            f"(recorded: {source})"
        )
        return
    finding.repaired, finding.remedy = True, "imported again from its source file"


def _restore_case(root: Path, store: Store, group: str, finding: Finding) -> None:
    """Have a case again whose folder is gone: from the folder of another name, else from its source."""
    name = group.rpartition("/")[2]
    if renamed := next((one for one in store.children("cases") if _name_in(store, one) == name), ""):
        if renamed != name:
            store.rename(f"cases/{renamed}", group)
        finding.repaired, finding.remedy = True, "its folder had another name, and has its own again"
        return
    listed = manifest.read(store)
    info = listed.cases.get(name) if listed else None
    if info is None:
        return
    settings = _settings(root)
    if settings is None:
        finding.remedy = f"mend {SETTINGS_FILE} first, since it tells how to import it"
        return
    project = Project(root, settings)
    try:
        for array in (IMAGE, *((REFERENCE,) if info.has_reference else ())):
            import_again(project, info, array, settings.image)
    except (DiskFault, Unreadable):
        raise
    except BadInput as error:
        finding.remedy = f"{error}; put that file back and repair again, or {_removed_by(root, name)}"
        return
    finding.repaired, finding.remedy = True, "imported again from its source file; its steps run anew"


def _restore_record(store: Store, group: str, finding: Finding) -> None:
    """Restore a case's record from the copy that its image keeps, or name its folder as it says."""
    name = group.rpartition("/")[2]
    if (kept := _name_in(store, name)) not in ("", name):
        _name_back(store, name, kept, finding)
        return
    if not kept and not store.has_folder(group):  # its folder was named back just now
        finding.repaired, finding.remedy = True, "its folder has its own name again"
        return
    listed = manifest.read(store)
    record = store.attributes(f"{group}/image").get(RECORD)
    if CaseInfo.parse(record) is None and listed and name in listed.cases:
        record = asdict(listed.cases[name])
    if CaseInfo.parse(record) is None:
        finding.remedy = f"its copies are lost too; {_removed_by(store.root.parent, name)}"
        return
    store.write_group(group, {RECORD: record})
    finding.repaired, finding.remedy = True, "restored from its copy"


def _name_back(store: Store, name: str, kept: str, finding: Finding) -> None:
    """Let a folder have the name that its record has, unless another has it by now."""
    if store.has_folder(f"cases/{kept}"):
        finding.remedy = f"there is a case {kept!r} beside it; {_removed_by(store.root.parent, name)}"
        return
    store.rename(f"cases/{name}", f"cases/{kept}")
    finding.repaired, finding.remedy = True, f"named {kept!r} again"


def _name_in(store: Store, folder: str) -> str:
    """The name that the record in a case's folder has; empty when there is none."""
    info = CaseInfo.parse(store.attributes(f"cases/{folder}").get(RECORD))
    return info.name if info else ""


def _removed_by(root: Path, name: str) -> str:
    """How a case that cannot be mended is taken out."""
    return f"take the case out with `clisc cases remove {shell_word(root)} {name}`"


def _restore_group(root: Path, store: Store, folder: Path, finding: Finding) -> None:
    inside = folder.relative_to(store.root)
    if inside.parts[:1] == ("metrics",):
        store.remove(inside.as_posix())
        home = Home.of(store.root.parent, is_variant=store.root.parent != root)
        finding.remedy = f"removed; {home.in_words(EVALUATE)} measures again"
    else:
        store.write_group(inside.as_posix(), {})
        finding.remedy = "restored"
    finding.repaired = True


def _settings(root: Path) -> Settings | None:
    try:
        return read_settings(root / SETTINGS_FILE)
    except Unreadable:
        raise
    except BadInput:
        return None
