"""What an import did, or would do, as `init` and `cases add` tell it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clisc_cli.columns import add_words
from clisc_cli.console import PATHS, Terminal, print_json, result_console
from clisc_cli.options import RunOptions
from clisc_cli.reports import disk_in_words
from clisc_cli.words import counted
from clisc_engine.files.words import shell_word

if TYPE_CHECKING:
    from rich.table import Table

    from clisc_engine.importing.preview import Planned
    from clisc_engine.running.control import Control
    from clisc_engine.stages.init import Imported, Request
    from clisc_engine.upkeep.forecast import Forecast


def show_imported(
    imported: Imported, request: Request, control: Control, options: RunOptions, *, check: bool
) -> None:
    """Print what was imported; with ``check`` a dry run reads the voxels of what would be.

    Raises:
        BadInput: when what a dry run has looked at says that the import would be refused.
    """
    terminal = options.terminal()
    for name, message in imported.skipped.items():
        terminal.warn(f"skipped {name}: {message}")
    for warning in imported.warnings:
        terminal.warn(warning)
    of_cases = (f"{name}: {note}" for name, told in imported.notes.items() for note in told)
    for note in (*imported.remarks, *of_cases):
        terminal.say(note)
    planned = _planned(imported, request, control if check else None, terminal) if options.dry_run else []
    disk = _disk(imported, planned)
    if options.json_:
        print_json(_document(imported, planned, disk, options))
    else:
        _show(imported, planned, disk, options, terminal, check=check)
    _refuse_as_the_import_would(imported, planned, request)


def _show(
    imported: Imported,
    planned: Sequence[Planned],
    disk: Forecast | None,
    options: RunOptions,
    terminal: Terminal,
    *,
    check: bool,
) -> None:
    """The same for people."""
    counts = Counter(imported.splits.values())
    shares = ", ".join(f"{counts[s]} {s}" for s in ("train", "valid", "test"))
    console = result_console(PATHS)
    cases = counted(len(imported.splits), "case")
    console.print(f"init: {cases} ({shares}) {_verb(imported, options)}", markup=False)
    if planned:
        console.print(_table(planned))
        terminal.say(_looked_at(planned, check))
        if disk:
            terminal.say(disk_in_words(disk))
    elif not imported.fresh and not options.dry_run:
        if counts["train"] <= FEW:
            terminal.say(few_volumes(imported))
        elif told := few_tests(imported):
            terminal.say(told)
        if disk:
            terminal.say(disk_in_words(disk))
        terminal.say(f"Next: clisc label {shell_word(imported.project.root)}")
    if options.dry_run:
        for one in imported.left_out:
            terminal.say(f"left out: {one.path} ({one.reason})")


def _looked_at(planned: Sequence[Planned], check: bool) -> str:
    """How far what a dry run shows can be relied on."""
    if not check:
        return "Names and headers say so; voxels are looked at when it is imported, or with --check."
    cases, refused = counted(len(planned), "case"), sum(bool(case.problem) for case in planned)
    return f"Read: {cases}; {f'{refused} cannot' if refused else 'all can'} be imported."


def _refuse_as_the_import_would(imported: Imported, planned: Sequence[Planned], request: Request) -> None:
    """End a dry run as the import would end, so that a script can tell from it whether to begin.

    Raises:
        BadInput: naming the cases that cannot be imported, unless the others would be taken without them.
    """
    from clisc_engine.errors import BadInput
    from clisc_engine.files.words import listed

    refused = [case.case for case in planned if case.problem]
    wanted = len(planned) + len(imported.references)
    if not refused or (request.skip_bad and len(refused) < wanted):
        return
    others = "; --skip-bad takes the others" if len(refused) < wanted else ""
    names = listed(refused, 5)
    raise BadInput(f"{len(refused)} of {counted(wanted, 'case')} cannot be imported: {names}{others}.")


FEW = 4
"""Train cases up to which a network learns little more than it knew."""

FEW_TESTS = 5
"""Test cases below which a fifth by size has none."""


def few_volumes(imported: Imported) -> str:
    """What to expect of a project with so few train cases, and how to have it learn from more."""
    train = Counter(imported.splits.values())["train"]
    told = (
        f"{counted(train, 'train case')}: the network learns from so many pseudo-labels alone, so its "
        "masks may be no better than `clisc predict bundled IMAGE -o MASK`."
    )
    if not train:
        told = "No train case: there is nothing that a network could learn from."
    if train == len(imported.splits):
        return told
    project = shell_word(imported.project.root)
    others = [name for name, split in imported.splits.items() if split != "train"]
    which = "CASE" if imported.added or len(others) > FEW else " ".join(map(shell_word, others))
    return f"{told} `clisc cases move {project} {which} train` lets it learn from more."


def few_tests(imported: Imported) -> str:
    """What figures of so few test cases with a reference are worth; empty for more, or for none."""
    if Counter(imported.splits.values())["test"] >= FEW_TESTS:
        return ""
    known = [case.info for case in imported.project.cases() if case.info.has_reference]
    measured = sum(info.split == "test" for info in known)
    if not 0 < measured < min(FEW_TESTS, len(known)):
        return ""
    return (
        f"{counted(measured, 'test case')} with a reference: figures of so few say little. "
        f"{imported.project.store.home.in_words('evaluate --splits train,valid,test')} will measure all "
        f"{len(known)}."
    )


def _verb(imported: Imported, options: RunOptions) -> str:
    if imported.fresh and imported.moved:
        return "already imported, files of " + counted(len(imported.moved), "case") + " found elsewhere"
    if imported.fresh:
        return "already imported, nothing to do"
    if not (imported.added or imported.references):
        return "would be imported" if options.dry_run else "imported"
    new = (len(imported.added), "case"), (len(imported.references), "reference")
    would = "would be added" if options.dry_run else "added"
    return "in all, " + " and ".join(counted(n, what) for n, what in new if n) + f" {would}"


def _document(
    imported: Imported, planned: Sequence[Planned], disk: Forecast | None, options: RunOptions
) -> dict[str, Any]:
    """What ``--json`` prints."""
    second = imported.fresh or imported.added or imported.references
    left_out = [{"path": str(one.path), "reason": one.reason} for one in imported.left_out]
    return {
        "project": str(imported.project.root),
        "weights": imported.project.settings.made_with,
        "splits": imported.splits,
        "skipped": imported.skipped,
        "notes": imported.notes,
        "remarks": imported.remarks,
        "warnings": imported.warnings,
        "left_out": left_out,
        "added": imported.added,
        "references": imported.references,
        "moved": imported.moved,
        "fresh": [name for name in imported.splits if name not in imported.added] if second else [],
        **({"cases": [asdict(case) for case in planned]} if options.dry_run else {}),
        **({"disk": asdict(disk)} if disk else {}),
    }


def _planned(
    imported: Imported, request: Request, control: Control | None, terminal: Terminal
) -> list[Planned]:
    """The cases of a dry run, read with ``control``; what speaks against one is a warning."""
    from clisc_engine.importing.preview import checked, preview

    planned = preview(imported)
    if control is not None:
        planned = checked(planned, request, imported, control)
    for case in planned:
        for note in case.notes:
            terminal.say(f"{case.case}: {note}")
        if case.problem:
            terminal.warn(f"{case.case}: {case.problem}")
    return planned


def _disk(imported: Imported, planned: Sequence[Planned]) -> Forecast | None:
    """How much disk the project takes in the end; None where no header tells, or nothing is new."""
    from clisc_engine.upkeep.forecast import Grid, forecast, grids_of

    project = imported.project
    known = [case for case in planned if case.size and case.spacing]
    grids = [Grid(case.size, case.spacing, bool(case.reference)) for case in known]
    if not planned or imported.added:
        grids += grids_of(project)
    return forecast(project.root, project.settings, grids) if grids and not imported.fresh else None


def _table(planned: Sequence[Planned]) -> Table:
    """One row a case; columns that would be empty are left out."""
    from rich.markup import escape
    from rich.table import Table

    columns = {
        "case": [case.case for case in planned],
        "split": [case.split for case in planned],
        "voxels": [" x ".join(map(str, case.size)) for case in planned],
        "mm": [" x ".join(f"{mm:.3g}" for mm in case.spacing) for case in planned],
        "channel": ["" if case.channel is None else str(case.channel) for case in planned],
        "image": [Path(case.image).name for case in planned],
        "reference": [Path(case.reference).name for case in planned],
    }
    shown = {name: values for name, values in columns.items() if any(values)}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    add_words(table, *shown)
    for row in zip(*shown.values(), strict=True):
        table.add_row(*map(escape, row))
    return table
