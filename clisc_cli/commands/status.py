"""``clisc status``."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clisc_cli import status_of_case
from clisc_cli.console import print_json, print_line, result_console
from clisc_cli.named import CaseName, DirectoryOrCase, project_and_case
from clisc_cli.session import Session
from clisc_cli.states import COLOURS, REASONS_BESIDE, show_reasons
from clisc_cli.switches import Json, Variant
from clisc_cli.words import bytes_in_words, counted, seconds_in_words, shortened, time_in_words
from clisc_engine.errors import Home
from clisc_engine.files.words import shell_word

if TYPE_CHECKING:
    from rich.console import Console

    from clisc_engine.project.project import Project
    from clisc_engine.upkeep.status import StageStatus

LOOK_FIRST = 3
"""How many of the least trusted masks are named."""


def command(
    context: typer.Context,
    directory: DirectoryOrCase = None,
    case: CaseName = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again and again until no command is at work.")
    ] = False,
    every: Annotated[
        float, typer.Option(min=0.2, max=3600, help="With --watch: seconds from one look to the next.")
    ] = 5.0,
    variant: Variant = None,
    json_: Json = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Whole reasons; tracebacks.")] = False,
) -> None:
    """Show how far each step is, what is stale and why, what is running, and what to run next.

    With a case: each of its arrays and what made it.

    Example: clisc status glioma    clisc status glioma patient-007    clisc status glioma --watch
    """
    if watch and (json_ or case is not None):
        raise typer.BadParameter("shows a project as text, without --json and CASE", param_hint="--watch")
    project, name = project_and_case(directory, case, variant)
    if watch and name is None:
        _watch(project, directory, every, verbose, context.ensure_object(Session))
        return
    document = _project(project, directory) if name is None else status_of_case.seen(project, name)
    if json_:
        print_json(document)
    elif name is None:
        _show_project(document, verbose)
    else:
        status_of_case.show(document, verbose)


def _watch(project: Project, directory: Path | None, every: float, verbose: bool, session: Session) -> None:
    """Show the project until no command is at work, or the user has seen enough.

    A terminal is cleared each time; elsewhere a line tells each change.
    """
    console, before = result_console(), ""
    while True:
        document = _project(project, directory)
        if console.is_terminal:
            console.clear()
            _show_project(document, verbose)
        elif (line := _in_a_line(document)) != before:
            print_line(line)
            before = line
        looked = time.monotonic()
        while time.monotonic() < looked + every and document["running"] and not session.stop.reason:
            time.sleep(0.1)
        if not document["running"] or session.stop.reason:
            return


def _in_a_line(document: dict[str, Any]) -> str:
    running = document["running"]
    if not running:
        return f"No command is at work. Next: {document['next'] or 'nothing, all is up to date'}"
    what = next((s["why"] for s in document["stages"] if s["state"] == "running"), "")
    return f"{running['command']}: {running['stage']} {what}".rstrip()


def _project(project: Project, directory: Path | None) -> dict[str, Any]:
    from clisc_engine.files.collecting import collection_paused

    with collection_paused():
        return _seen(project.glance(), directory)


def _seen(project: Project, directory: Path | None) -> dict[str, Any]:
    """The document, from a project that is looked at once."""
    from clisc_engine.products.graph import EVALUATE
    from clisc_engine.project import pending_change, pending_promotion
    from clisc_engine.project.variants import name_of
    from clisc_engine.running import journal
    from clisc_engine.stages.evaluation.asked import asked_before
    from clisc_engine.stages.trust.table import overview
    from clisc_engine.upkeep.at_work import note_work
    from clisc_engine.upkeep.cleaning import cleanable
    from clisc_engine.upkeep.status import disk_use, next_stage
    from clisc_engine.upkeep.survey import survey

    stages = survey(project)
    trust = overview(project)
    work = note_work(project, stages)
    done = {entry.stage: entry for entry in journal.entries(project)}
    following = next_stage(stages)
    where = f" {shell_word(directory)}" if directory else ""
    where += f" --variant {name_of(project)}" if project.parent else ""
    if following == EVALUATE:
        where = " ".join([where, *asked_before(project).options])
    return {
        "project": str(project.base.root),
        "variant": name_of(project),
        "weights": project.settings.made_with,
        "cases": len(project.cases()),
        "lost_cases": project.lost_cases(),
        "change_of_cases": pending_change.told(project.base.root),
        "promotion": pending_promotion.told(project.base.root),
        "stages": [
            {**_stage(status), "device": done[status.stage].device if status.stage in done else ""}
            for status in stages
        ],
        "look_first": [
            {"case": name, "agreement": entry.agreement, "dsc": trust.dsc.get(name)}
            for name, entry in list(trust.cases.items())[:LOOK_FIRST]
        ],
        "running": asdict(work) if work else None,
        "next": f"clisc {following}{where}" if following else "",
        "disk": disk_use(project),
        "cleanable": cleanable(project, stages).bytes,
    }


def _stage(status: StageStatus) -> dict[str, Any]:
    done, total = status.cases
    return {
        "stage": status.stage,
        "state": status.state,
        "done": done,
        "total": total,
        "unit": status.unit,
        "why": status.why,
        "note": status.note,
        "time": status.time,
        "seconds": round(status.seconds, 3),
    }


def _show_project(document: dict[str, Any], verbose: bool) -> None:
    console, project = result_console(), shell_word(document["project"])
    variant = f", variant {document['variant']}" if document["variant"] else ""
    cases = counted(document["cases"], "case")
    head = f"{document['project']}{variant}: {cases}, {document['weights']} weights"
    print_line(head)
    for cut_short in filter(None, (document["change_of_cases"], document["promotion"])):
        console.print(cut_short, style="yellow", markup=False, soft_wrap=True)
    for name, why in document["lost_cases"].items():
        console.print(f"Case {name} is left out: {why}", style="yellow", markup=False, soft_wrap=True)
    if document["lost_cases"]:
        console.print(f"`clisc verify {project} --repair` sees to it.", markup=False)
    _show_steps(console, document["stages"], verbose)
    disk = document["disk"]
    parts = ", ".join(f"{name} {bytes_in_words(size)}" for name, size in disk.items())
    console.print(f"Disk: {bytes_in_words(sum(disk.values()))} ({parts})", markup=False)
    if may_go := {kind: size for kind, size in document["cleanable"].items() if size}:
        won = ", ".join(f"{kind} {bytes_in_words(size)}" for kind, size in may_go.items())
        command = " ".join(["clisc clean", project, *(f"--{kind}" for kind in may_go)])
        line = f"No result needs {bytes_in_words(sum(may_go.values()))} of it ({won}): `{command}`"
        print_line(line)
    if first := document["look_first"]:
        named = ", ".join(
            one["case"] + ("" if one["dsc"] is None else f" (DSC expected: {one['dsc']:.0f} %)")
            for one in first
        )
        listing = Home(Path(document["project"]), document["variant"]).in_words("trust")
        line = f"Look at these masks first: {named}; {listing} lists all."
        print_line(line)
    following, running = document["next"], document["running"]
    if running:
        console.print(
            f"At work: {running['command']} (process {running['process']} on {running['host']}, since "
            f"{time_in_words(running['since'])})",
            markup=False,
        )
        return  # what is next may be what it is about to do
    print_line(f"Next: {following}" if following else "All that can be made is up to date.")


def _show_steps(console: Console, steps: list[dict[str, Any]], verbose: bool) -> None:
    """A line for each step; why it is as it is stands beside it, or below where the terminal is narrow."""
    from rich.table import Table
    from rich.text import Text

    beside = console.width >= REASONS_BESIDE
    whys = {step["stage"]: step["why"] if verbose else shortened(step["why"], 70) for step in steps}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("step", "state", "done", "when", "took", "on", *(["why"] if beside else [])):
        table.add_column(heading, overflow="fold", justify="right" if heading == "took" else "left")
    for step in steps:
        state, name = step["state"], step["stage"]
        table.add_row(
            name,
            Text(state, style=COLOURS.get(state, "dim")),
            _done(step) if state != "impossible" else "",
            time_in_words(step["time"]),
            seconds_in_words(step["seconds"]) if step["seconds"] else "",
            Text(step["device"]),
            *([Text(whys[name])] if beside else []),
        )
    console.print(table)
    if not beside:
        show_reasons(whys)


def _done(stage: dict[str, Any]) -> str:
    """E.g. ``6/6 cases``, ``0/1 network``."""
    return f"{stage['done']}/{counted(stage['total'], stage['unit'])}"
