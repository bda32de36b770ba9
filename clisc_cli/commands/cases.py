"""``clisc cases list|add|remove|rename|move``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from clisc_cli.case_table import case_table
from clisc_cli.completion import case_words
from clisc_cli.console import PATHS, print_json, print_line, result_console
from clisc_cli.imported import show_imported
from clisc_cli.named import (
    ALL_SPLITS,
    Channel,
    Check,
    Directory,
    FollowLinks,
    ShareReferences,
    refuse_check_alone,
)
from clisc_cli.options import RunOptions
from clisc_cli.session import Session
from clisc_cli.switches import Json, Quiet, Verbose
from clisc_cli.words import bytes_in_words, counted, seconds_in_words
from clisc_engine.files.words import shell_word

if TYPE_CHECKING:
    from clisc_engine.project.pending_change import Change
    from clisc_engine.project.project import Project
    from clisc_engine.upkeep.foresight import Effects

app = typer.Typer(help="List, add, remove, rename and move the cases of a project.", no_args_is_help=True)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would become stale or be lost.")]


@app.command("list")
def list_(
    context: typer.Context, directory: Directory = None, json_: Json = False, verbose: Verbose = False
) -> None:
    """List the cases: split, size, source, tumour in ml, and DSC where `evaluate` has measured it.

    Example: clisc cases list glioma
    """
    if context.ensure_object(Session).is_left_to_rank_0("cases list"):
        return
    from clisc_engine.project.pending_change import told
    from clisc_engine.project.project import open_project
    from clisc_engine.upkeep.case_list import list_cases

    project = open_project(directory)
    found = list_cases(project)
    if json_:
        print_json({"cases": [asdict(one) for one in found]})
        return
    console = result_console(PATHS)
    console.print(case_table(found))
    there = [one for one in found if not one.problem]
    counts = ", ".join(f"{sum(one.split == split for one in there)} {split}" for split in ALL_SPLITS)
    lost = f"; {len(found) - len(there)} left out" if len(found) > len(there) else ""
    console.print(f"{counted(len(there), 'case')}: {counts}{lost}", markup=False)
    if change := told(project.base.root):
        console.print(change, style="yellow", markup=False, soft_wrap=True)


@app.command("add")
def add(
    context: typer.Context,
    images: Annotated[str, typer.Option(help="Folder or quoted glob of FLAIR volumes, or a CSV manifest.")],
    directory: Directory = None,
    references: Annotated[
        str | None, typer.Option(help="Folder or quoted glob of masks, for evaluate only.")
    ] = None,
    cases: Annotated[
        list[str] | None, typer.Option("--cases", metavar="NAMES", help="Only these cases (commas).")
    ] = None,
    to: Annotated[
        Literal["train", "valid", "test"] | None,
        typer.Option(help="Split of the new cases; without it, each is drawn.", show_default=False),
    ] = None,
    channel: Channel = None,
    follow_links: FollowLinks = False,
    share_references: ShareReferences = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Import the rest when files are bad; list them.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Threads that import cases.")] = 1,
    check: Check = False,
    dry_run: DryRun = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Import further cases, as `clisc init --add` does; cases that are there stay as they are.

    Example: clisc cases add glioma --images new --to test
    """
    refuse_check_alone(check, dry_run)
    if context.ensure_object(Session).is_left_to_rank_0("cases add"):
        return
    from clisc_engine.project.project import project_root
    from clisc_engine.stages.init import Request, initialise

    options = RunOptions(
        context, workers=workers, cases=cases or [], dry_run=dry_run, json_=json_, quiet=quiet
    )
    project = options.open_project(project_root(directory))
    control = options.control()
    request = Request(
        project.root,
        images,
        references,
        None,
        None,
        skip_bad,
        channel,
        add=True,
        cases=control.cases,
        into=to or "",
        follow_links=follow_links,
        share_references=share_references,
    )
    imported = initialise(request, project.settings, control)
    show_imported(imported, request, control, options, check=check)


@app.command("remove")
def remove(
    context: typer.Context,
    words: Annotated[
        list[str], typer.Argument(metavar="[DIR] CASE...", help="Cases.", autocompletion=case_words)
    ],
    dry_run: DryRun = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Take cases out of a project with all that was made of them; source files are never touched.

    Example: clisc cases remove glioma patient-007 --dry-run
    """
    from clisc_engine.project.pending_change import Change

    root, names = _folder_and(words)
    if not names:
        raise typer.BadParameter("name a case, after the project's folder", param_hint="CASE")
    _change(context, root, Change(remove=tuple(names)), "removed", dry_run, json_, quiet)


@app.command("rename")
def rename(
    context: typer.Context,
    words: Annotated[
        list[str], typer.Argument(metavar="[DIR] OLD NEW", help="A case.", autocompletion=case_words)
    ],
    dry_run: DryRun = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Give a case another name. What was made of it, and what learnt from it, stays fresh.

    Example: clisc cases rename glioma patient-7 patient-007
    """
    from clisc_engine.project.pending_change import Change

    root, names = _folder_and(words)
    if len(names) != 2:
        raise typer.BadParameter(
            "give the old name and the new one, after the project's folder", param_hint="OLD NEW"
        )
    _change(context, root, Change(rename={names[0]: names[1]}), "renamed", dry_run, json_, quiet)


@app.command("move")
def move(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[DIR] CASE... SPLIT",
            help="Cases, and train, valid or test.",
            autocompletion=case_words,
        ),
    ],
    dry_run: DryRun = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Move cases into another split. What learnt from one is never measured on it as if unseen.

    Example: clisc cases move glioma patient-007 test --dry-run
    """
    from clisc_engine.project.pending_change import Change

    root, names = _folder_and(words)
    if len(names) < 2 or names[-1] not in ALL_SPLITS:
        raise typer.BadParameter("name cases, and then train, valid or test", param_hint="CASE... SPLIT")
    change = Change.model_validate({"move": dict.fromkeys(names[:-1], names[-1])})
    _change(context, root, change, "moved", dry_run, json_, quiet)


def _folder_and(words: Sequence[str]) -> tuple[Path | None, list[str]]:
    """The project's folder, if the first word is one, and the other words as case names."""
    from clisc_engine.files.case_names import normal
    from clisc_engine.project.project import SETTINGS_FILE

    is_folder = (Path(words[0]) / SETTINGS_FILE).is_file()
    names = words[1:] if is_folder else words
    return (Path(words[0]) if is_folder else None), [normal(name) for name in names]


def _change(
    context: typer.Context,
    root: Path | None,
    change: Change,
    verb: str,
    dry_run: bool,
    json_: bool,
    quiet: bool,
) -> None:
    """Check, foresee and carry out a change, and say what it means."""
    if context.ensure_object(Session).is_left_to_rank_0("cases"):
        return
    from clisc_engine.importing.splits import torn_apart
    from clisc_engine.project import case_changes
    from clisc_engine.project.pending_change import pending
    from clisc_engine.project.project import project_root
    from clisc_engine.upkeep.foresight import effects, no_longer_possible

    options = RunOptions(context, dry_run=dry_run, json_=json_, quiet=quiet)
    begun = pending(project_root(root))
    project = options.open_to_change(root)  # which completes what was begun
    todo = case_changes.check(project, change, begun)
    means, faults = effects(project, todo), no_longer_possible(project, todo)
    splits = {case.info.name: case.info.split for case in project.cases()}
    if not dry_run:
        case_changes.apply(project, todo)
    for told in torn_apart({**splits, **todo.move}, todo.move):
        options.terminal().warn(told)
    for fault in faults:
        options.terminal().warn(f"{'then' if dry_run else 'now'} not every step can be done: {fault}")
    if json_:
        print_json({"changed": _changed(todo), "dry_run": dry_run, **asdict(means)})
        return
    _show(project, change, todo, means, verb, dry_run)


def _changed(change: Change) -> dict[str, Any]:
    return {key: value for key, value in change.model_dump().items() if value}


def _show(project: Project, asked: Change, todo: Change, means: Effects, verb: str, dry_run: bool) -> None:
    would = "would be " if dry_run else ""

    for name in asked.names:
        to = asked.rename.get(name) or asked.move.get(name)
        to = f" to {to}" if to else ""
        print_line(f"{name}: {would}{verb}{to}" if name in todo.names else f"{name}: {verb}{to} already")
    for name, arrays in means.lost.items():
        print_line(f"  lost with {name}: {', '.join(arrays)}")
    if means.bytes:
        took = f", which took {seconds_in_words(means.seconds)}" if means.seconds else ""
        print_line(
            f"  {bytes_in_words(means.bytes)} {would}won{took}; the source files stay where they are"
        )
    for step, products in means.stale.items():
        print_line(f"  {would or 'now '}stale: {step} ({', '.join(products)})")
    if todo.names and not means.stale:
        print_line("  nothing becomes stale" if dry_run else "  nothing became stale")
    if means.stale and not dry_run:
        print_line(f"Next: clisc run {shell_word(project.root)}")
