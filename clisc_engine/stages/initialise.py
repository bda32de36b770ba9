"""Step 0: import volumes into a new project (`init`)."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clisc_engine.control import Control
from clisc_engine.errors import BadInput, DiskFault, Stopped
from clisc_engine.imaging.casefiles import CaseFiles
from clisc_engine.imaging.discover import find_cases
from clisc_engine.imaging.splits import checked_split, draw_split, read_split
from clisc_engine.project import (
    SETTINGS_FILE,
    STAGING,
    STORE,
    Project,
    clear_staging,
    create,
    open_project,
)
from clisc_engine.runner import in_threads
from clisc_engine.settings import Settings
from clisc_engine.stages.importing import import_case
from clisc_engine.store import write_atomically

MOVING = "moving"
"""In the staging folder, says that the store may already lie in the project's."""

NAMED = 20  # bad files that are named one by one


@dataclass
class Imported:
    """What `init` did: the project, its cases by split, and the bad ones that were skipped.

    ``files`` is what a dry run would import, ``notes`` what is to be said of each case's files.
    """

    project: Project
    splits: dict[str, str]
    files: list[CaseFiles] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    fresh: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class Request:
    """What `init` was asked for.

    Attributes:
        root: the project folder to make.
        images: folder, glob, or CSV manifest of images.
        references: folder or glob of reference masks, None without.
        split_file: CSV or JSON that gives each case's split, None to take the manifest's or draw one.
        split_ratio: shares of train, valid and test, e.g. ``7:1:2``.
        skip_bad: import the rest when some files cannot be used.
        channel: number or name of the FLAIR channel, None to take what dataset.json says.
    """

    root: Path
    images: str
    references: str | None
    split_file: Path | None
    split_ratio: str
    skip_bad: bool
    channel: str | None = None


def initialise(request: Request, settings: Settings, control: Control) -> Imported:
    """Read, check, normalise and store every case; the project appears only when all is done.

    Raises:
        BadInput: names the bad files (unless ``skip_bad``); or the folder is taken.
        DiskFault: when the disk does not take it; the cases done so far are kept for the next call.
        Stopped: when asked to stop; likewise.
    """
    started = time.monotonic()
    files = find_cases(request.images, request.references, request.channel)
    if (request.root / SETTINGS_FILE).exists():
        return _already_there(request, files)
    if os.path.lexists(request.root / STORE) and not _is_on_its_way(request.root):
        raise BadInput(
            f"{request.root} holds a {STORE} without a {SETTINGS_FILE}. If it is a project's, put that "
            "file back; else choose another folder."
        )
    splits = _splits(request, files, settings.seed)
    if control.dry_run:
        return Imported(Project(request.root, settings), splits, files)
    made_root = not request.root.exists()
    staging = request.root / STAGING
    try:
        project = _staged(request.root, settings, files)
        skipped, notes = _import_all(project, files, splits, request.skip_bad, control)
        _publish(staging, request.root)
    except (Stopped, DiskFault):
        raise
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        if made_root and request.root.exists():
            request.root.rmdir()
        raise
    kept = {name: split for name, split in splits.items() if name not in skipped}
    seconds = time.monotonic() - started
    return Imported(Project(request.root, settings), kept, skipped=skipped, notes=notes, seconds=seconds)


def _staged(root: Path, settings: Settings, files: Sequence[CaseFiles]) -> Project:
    """The project under way; one left by an interrupted call with the same settings goes on."""
    staging = root / STAGING
    if (staging / SETTINGS_FILE).exists():
        if _is_on_its_way(root) and (root / STORE).exists():
            (root / STORE).rename(staging / STORE)
        left = open_project(staging)
        if left.settings == settings:
            for name in set(left.store.children("cases")) - {case.name for case in files}:
                left.store.remove(f"cases/{name}")
            return left
    shutil.rmtree(staging, ignore_errors=True)
    return create(staging, settings)


def _import_all(
    project: Project,
    files: Sequence[CaseFiles],
    splits: Mapping[str, str],
    skip_bad: bool,
    control: Control,
) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """The reasons why cases were left out, and what is to be said of the others' files; by name."""
    bad: dict[str, str] = {}
    notes: dict[str, tuple[str, ...]] = {}

    def take(case: CaseFiles) -> None:
        if told := import_case(project, case, splits[case.name]):
            notes[case.name] = told

    def leave_out(name: str, error: BadInput) -> None:
        bad[name] = str(error)
        project.store.remove(f"cases/{name}")

    in_threads(
        "init",
        {case.name: case for case in files},
        take,
        control,
        unit="case",
        bad=leave_out,
    )
    if len(bad) == len(files) or (bad and not skip_bad):
        raise BadInput(_refusal(list(bad.values()), len(files)))
    return bad, {name: notes[name] for name in sorted(notes) if name not in bad}


def _refusal(reasons: Sequence[str], of: int) -> str:
    """What ``init`` says when it imports nothing for these bad files."""
    others = " --skip-bad imports the others." if len(reasons) < of else ""
    if len(reasons) == 1:
        return reasons[0] + others
    shown = [f"  {reason}" for reason in reasons[:NAMED]]
    if len(reasons) > NAMED:
        shown.append(f"  and {len(reasons) - NAMED} more.")
    return "\n".join([f"{len(reasons)} of {of} images cannot be used.{others}", *shown])


def _publish(staging: Path, root: Path) -> None:
    """Move the finished project into place, clisc.toml last: with it the project exists."""
    if os.path.lexists(root / STORE):
        raise BadInput(f"{root / STORE} was made by somebody else meanwhile; choose another folder.")
    write_atomically(staging / MOVING, b"")
    (staging / STORE).rename(root / STORE)
    write_atomically(root / SETTINGS_FILE, (staging / SETTINGS_FILE).read_bytes())
    clear_staging(root)


def _is_on_its_way(root: Path) -> bool:
    """Whether a call was killed while it moved its project into place: then the store there is its own."""
    staging = root / STAGING
    return (staging / MOVING).exists() and not (staging / STORE).exists()


def _already_there(request: Request, files: Sequence[CaseFiles]) -> Imported:
    project = open_project(request.root)
    stored = {case.info.name: case.info for case in project.cases()}
    if {case.name for case in files} <= set(stored):
        splits = {name: info.split for name, info in stored.items()}
        return Imported(project, splits, fresh=True)
    raise BadInput(
        f"{request.root} already holds a project with other cases; choose another folder, or remove "
        "it to start anew."
    )


def _splits(request: Request, files: Sequence[CaseFiles], seed: int) -> dict[str, str]:
    """Each case's split: from the split file, else from the manifest's column, else drawn."""
    names = [case.name for case in files]
    if request.split_file is not None:
        return dict(read_split(request.split_file, names))
    given = [(f"case {case.name}", case.name, case.split) for case in files if case.split]
    if given:
        return checked_split(request.images, given, names)
    return dict(draw_split(names, request.split_ratio, seed))
