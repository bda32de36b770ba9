"""Step 0: import volumes into a new project (`init`)."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from clisc_engine.errors import BadInput, DiskFault, Stopped, Unreadable
from clisc_engine.files.atomic import write_atomically
from clisc_engine.files.words import counted, listed
from clisc_engine.imaging.source import hash_if_readable
from clisc_engine.importing.adding import refusal
from clisc_engine.importing.casefiles import CaseFiles
from clisc_engine.importing.comparison import content
from clisc_engine.importing.discover import search
from clisc_engine.importing.doubles import (
    REFUSED,
    TAKEN,
    among,
    check_doubles,
    find_doubles,
    shared_references,
)
from clisc_engine.importing.found import Found
from clisc_engine.importing.leftovers import account
from clisc_engine.importing.record import InitRecord, values_asked, write_record
from clisc_engine.importing.request import SPLIT_RATIO, Imported, Request, split_pairs
from clisc_engine.importing.second import second_init
from clisc_engine.importing.splits import checked_split, draw_split, several_of_subject, torn_apart
from clisc_engine.products.graph import STAGES
from clisc_engine.project import manifest
from clisc_engine.project.project import (
    BRAINS,
    SETTINGS_FILE,
    STAGING,
    STORE,
    Project,
    clear_staging,
    create,
    open_project,
)
from clisc_engine.running.control import Control
from clisc_engine.running.sharing import in_threads
from clisc_engine.settings.schema import Settings
from clisc_engine.stages.requirements import check_settings

__all__ = ["Imported", "Request", "initialise"]

MOVING = "moving"
"""In the staging folder, says that the store may already lie in the project's."""


def initialise(request: Request, settings: Settings, control: Control) -> Imported:
    """Read, check, normalise and store every case; the project appears only when all is done.

    On a project that is there, see `second_init`.

    Raises:
        BadInput: names the bad files (unless ``skip_bad``); or the folder is taken; or a step could not be
            done with the settings and splits of a new project.
        DiskFault: when the disk does not take it; the cases done so far are kept for the next call.
        Stopped: when asked to stop; likewise.
    """
    started = time.monotonic()
    found = search(
        request.images,
        request.references,
        request.channel,
        skip_bad=request.skip_bad,
        follow_links=request.follow_links,
    )
    found = found.only(request.cases)
    shared = shared_references(found.cases)
    found = found if request.share_references else _without(found, shared)
    if found.bad and not (request.skip_bad and found.cases):
        reasons = list(dict.fromkeys(found.bad.values()))
        raise BadInput(refusal(reasons, found.images, found.images - len(found.cases)))
    if (request.root / SETTINGS_FILE).exists():
        result = second_init(request, found, settings, control)
    else:
        result = _first(request, found, settings, control)
        kept = {*result.splits} if request.share_references else set()
        result.warnings += [f"{told} {TAKEN}" for names, told in shared.items() if kept.issuperset(names)]
    result.skipped = found.bad | result.skipped
    _account_for_files(request, found, result)
    result.seconds = time.monotonic() - started
    return result


def _without(found: Found, shared: Mapping[tuple[str, ...], str]) -> Found:
    """The same without cases of one reference, since nobody can tell whose it is."""
    bad = {name: f"{told} {REFUSED}" for names, told in shared.items() for name in names}
    return replace(found, cases=[case for case in found.cases if case.name not in bad], bad=found.bad | bad)


def _first(request: Request, found: Found, settings: Settings, control: Control) -> Imported:
    """Make the project."""
    files = found.cases
    if os.path.lexists(request.root / STORE) and not _is_on_its_way(request.root):
        raise BadInput(
            f"{request.root} holds a {STORE} without a {SETTINGS_FILE}. If it is a project's, put that "
            "file back; else choose another folder."
        )
    doubles = find_doubles(files)
    splits = _splits(request, found, settings.seed, doubles)
    check_settings(settings, STAGES, {*splits.values()})
    sources = {case.name: str(case.image) for case in files}
    warnings = [*check_doubles(doubles, splits, sources), *torn_apart(splits)]
    remarks = _drawn_together(request, found)
    if control.dry_run:
        return Imported(Project(request.root, settings), splits, files, warnings=warnings, remarks=remarks)
    made_root = not request.root.exists()
    staging = request.root / STAGING
    try:
        project = _staged(request.root, settings, files)
        project.store.check_may_write = control.check_may_write
        skipped, notes = _import_all(project, files, splits, request, control)
        write_record(project, _record(request, settings, files, skipped))
        manifest.write(project.store, manifest.of_store(project.store))
        control.check_may_write()
        _publish(staging, request.root)
    except (Stopped, DiskFault, Unreadable, OSError, KeyboardInterrupt):
        raise
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        if brains := request.brains(control):
            brains.leave_no_empty_folder()
        if made_root and request.root.exists() and not (request.root / BRAINS).exists():
            request.root.rmdir()  # brains took long to extract: they wait for the next call
        raise
    kept = {name: split for name, split in splits.items() if name not in skipped}
    project = Project(request.root, settings)
    warnings = [*check_doubles(among(doubles, kept), kept, sources), *torn_apart(kept)]
    return Imported(project, kept, skipped=skipped, notes=notes, warnings=warnings, remarks=remarks)


def _drawn_together(request: Request, found: Found) -> list[str]:
    """That the scans of a subject went into one split, where that was drawn."""
    several = several_of_subject(case.name for case in found.cases)
    if not several or request.split_file is not None or split_pairs(request, found)[1]:
        return []
    return [
        f"All scans of a subject are drawn into one split; {counted(len(several), 'subject')} with several "
        f"scans: {listed(list(several), 5)}."
    ]


def _account_for_files(request: Request, found: Found, result: Imported) -> None:
    """Say what was not taken of the files there, and which cases have no reference."""
    result.left_out = found.left_out
    result.remarks[:0] = found.notes
    images, skipped = len(found.cases), found.images - len(found.cases)
    if line := account(request.images, images, found.references, found.left_out, skipped=skipped):
        missed = any(one.missed for one in found.left_out)
        (result.warnings if missed else result.remarks).append(line)
    taken = [case for case in found.cases if case.name not in result.skipped]
    without = [case.name for case in taken if case.reference is None]
    if 0 < len(without) < len(taken):
        result.remarks.append(
            f"{len(without)} of {len(taken)} cases have no reference: {listed(without, 5)}. "
            "`clisc evaluate` leaves them out."
        )


def _record(
    request: Request, settings: Settings, files: Sequence[CaseFiles], skipped: Mapping[str, str]
) -> InitRecord:
    contents = {
        case.name: content(hash_if_readable(case.image), hash_if_readable(case.reference))
        for case in files
        if case.name in skipped
    }
    return InitRecord(values_asked(settings, request.asked), request.split_ratio or SPLIT_RATIO, contents)


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
    request: Request,
    control: Control,
) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """The reasons why cases were left out, and what is to be said of the others' files; by name."""
    from clisc_engine.importing.cases import import_case

    bad: dict[str, str] = {}
    notes: dict[str, tuple[str, ...]] = {}
    brains = request.brains(control)
    if brains:
        brains.clear()

    def take(case: CaseFiles) -> None:
        if told := import_case(project, case, splits[case.name], brains):
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
    if len(bad) == len(files) or (bad and not request.skip_bad):
        raise BadInput(refusal(list(bad.values()), len(files)))
    return bad, {name: notes[name] for name in sorted(notes) if name not in bad}


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


def _splits(request: Request, found: Found, seed: int, doubles: Sequence[Sequence[str]]) -> dict[str, str]:
    """Each case's split: from the split file, else from the manifest's column, else drawn.

    A draw puts one image under several names into one split, and the scans of one subject.
    """
    names = [case.name for case in found.cases]
    where, pairs = split_pairs(request, found)
    if pairs or request.split_file is not None:
        return checked_split(where, pairs, names, also=[*found.bad, *found.not_chosen])
    drawn = draw_split(names, request.split_ratio or SPLIT_RATIO, seed, doubles)
    return {name: drawn[name] for name in names}
