"""`verify --repair`: remove or restore what is damaged, and only that."""

from __future__ import annotations

import shutil
from pathlib import Path

from clisc_engine.errors import BadInput, DiskFault, Unreadable
from clisc_engine.files.atomic import disk_faults
from clisc_engine.importing.cases import import_again
from clisc_engine.importing.origin import settings_of_import
from clisc_engine.project.case_record import RECORD, CaseInfo
from clisc_engine.project.checkpoints import Checkpoint
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
    order = {"group": 0, "case": 1}
    for finding in sorted(found.findings, key=lambda finding: order.get(finding.what, 2)):
        control.check_may_write()
        if finding.state not in ("to be made", "unreadable"):
            try:
                _repair(root, finding)
            except Unreadable as error:
                finding.remedy = str(error)


def _repair(root: Path, finding: Finding) -> None:
    store, path = Store(root / STORE), root / finding.path
    inside = finding.path.removeprefix(f"{STORE}/")
    if finding.what == "array":
        store.unseal(inside, finding.problem)
        finding.repaired = True
    elif finding.what == "imported array":
        _import_again(root, store, inside, finding)
    elif finding.what == "case":
        _restore_record(store, inside, finding)
    elif finding.what == "group":
        _restore_group(store, path, finding)
    elif finding.what == "weights":
        with disk_faults(path):
            Checkpoint(path.parent, path.stem).take_away(finding.problem)
        finding.repaired = True
    elif finding.what in ("training", "leftover"):
        with disk_faults(path):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        finding.repaired = True
        finding.remedy = f"removed; {finding.remedy}" if finding.remedy else "removed"


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
            f"{error}; put that file back and repair again, or take the case out with "
            f"`rm -r {store.root / group}` (recorded: {source})"
        )
        return
    finding.repaired, finding.remedy = True, "imported again from its source file"


def _restore_record(store: Store, group: str, finding: Finding) -> None:
    """Restore a case's record from the copy that its image keeps."""
    record = store.attributes(f"{group}/image").get(RECORD)
    if CaseInfo.parse(record) is None:
        finding.remedy = f"its copy is lost too; take the case out with `rm -r {store.root / group}`"
        return
    store.write_group(group, {RECORD: record})
    finding.repaired, finding.remedy = True, "restored from the copy beside its image"


def _restore_group(store: Store, folder: Path, finding: Finding) -> None:
    inside = folder.relative_to(store.root)
    if inside.parts[:1] == ("metrics",):
        store.remove(inside.as_posix())
        finding.remedy = "removed; `clisc evaluate` measures again"
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
