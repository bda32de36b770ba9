"""Adding cases and references to a project: prepared beside it, checked, and then moved in one by one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clisc_engine.errors import BadInput, DiskFault, Stopped, Unreadable
from clisc_engine.files.atomic import disk_faults
from clisc_engine.importing.casefiles import CaseFiles
from clisc_engine.products.kinds import REFERENCE
from clisc_engine.project import manifest
from clisc_engine.project.case_record import CaseInfo
from clisc_engine.project.project import ADDING, Project
from clisc_engine.running.control import Control
from clisc_engine.running.sharing import in_threads

if TYPE_CHECKING:
    from clisc_engine.importing.brains import Brains

NAMED = 20  # bad files that are named one by one


@dataclass(frozen=True)
class Additions:
    """What a project is to get.

    Attributes:
        cases: new cases, each with its split in ``splits``.
        splits: see there.
        references: masks by the name of the case that gets them.
        brains: of the new cases, where they come with their skulls.
    """

    cases: Sequence[CaseFiles] = ()
    splits: Mapping[str, str] = field(default_factory=dict)
    references: Mapping[str, Path] = field(default_factory=dict)
    brains: Brains | None = None

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.cases or self.references)


@dataclass
class _Prepared:
    """The records of cases with their new masks, and what is to be said, by name."""

    records: dict[str, CaseInfo] = field(default_factory=dict)
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)


def add(
    project: Project, additions: Additions, control: Control, *, skip_bad: bool
) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Add cases and references; a call that was interrupted is gone on with by the same call.

    Returns:
        The reasons why some were left out, and what is to be said of the others' files; by name.

    Raises:
        BadInput: names the bad files (unless ``skip_bad``); the project is as it was.
        DiskFault: when the disk does not take it; what was prepared is kept for the next call.
        Stopped: when asked to stop; likewise.
    """
    staged = Project(project.root / ADDING, project.settings)
    wanted = {case.name for case in additions.cases} | additions.references.keys()
    for name in set(staged.store.children("cases")) - wanted:
        staged.store.remove(f"cases/{name}")
    try:
        made, bad = _prepare(project, staged, additions, control)
        if bad and (not skip_bad or len(bad) == len(wanted)):
            raise BadInput(refusal(list(bad.values()), len(wanted)))
        good = [case.name for case in additions.cases if case.name not in bad]
        _move_in(project, staged, good, made)
    except (Stopped, DiskFault, Unreadable, OSError, KeyboardInterrupt):
        raise
    except BaseException:
        shutil.rmtree(staged.root, ignore_errors=True)
        if additions.brains:
            additions.brains.leave_no_empty_folder()
        raise
    forget(project)
    return bad, {name: made.notes[name] for name in sorted(made.notes)}


def forget(project: Project) -> None:
    """Remove what an interrupted call has prepared."""
    folder = project.root / ADDING
    if folder.exists():
        with disk_faults(folder):
            shutil.rmtree(folder)


def refusal(reasons: Sequence[str], of: int, bad: int = 0) -> str:
    """What `init` says when it imports nothing for these bad files.

    ``bad`` is how many they are, where a reason may speak of several.
    """
    bad = bad or len(reasons)
    others = " --skip-bad imports the others." if bad < of else ""
    if len(reasons) == 1:
        return reasons[0] + others
    shown = [f"  {reason}" for reason in reasons[:NAMED]]
    if len(reasons) > NAMED:
        shown.append(f"  and {len(reasons) - NAMED} more.")
    return "\n".join([f"{bad} of {of} images cannot be used.{others}", *shown])


def _prepare(
    project: Project, staged: Project, additions: Additions, control: Control
) -> tuple[_Prepared, dict[str, str]]:
    """Import all beside the project; and the reasons against some."""
    from clisc_engine.importing.cases import import_case, import_reference

    made = _Prepared()
    bad: dict[str, str] = {}
    cases = {case.name: case for case in additions.cases}

    def take(name: str) -> None:
        if name in cases:
            told = import_case(staged, cases[name], additions.splits[name], additions.brains)
        else:
            made.records[name], told = import_reference(project, staged, name, additions.references[name])
        if told:
            made.notes[name] = told

    def leave_out(name: str, error: BadInput) -> None:
        bad[name] = str(error)
        staged.store.remove(f"cases/{name}")

    units = {name: name for name in (*cases, *additions.references)}
    in_threads("init", units, take, control, unit="case", bad=leave_out)
    return made, bad


def _move_in(project: Project, staged: Project, cases: Sequence[str], made: _Prepared) -> None:
    """Move each into the project; whatever the moment, a case is there whole or not yet."""
    for name in cases:
        project.store.adopt(f"cases/{name}", staged.store)
    for name, record in made.records.items():
        project.store.adopt(f"cases/{name}/{REFERENCE}", staged.store)
        project.change_record(record)
    present = [project.case(name).info for name in (*cases, *made.records)]
    manifest.note(project.store, present)
