"""``clisc status``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clisc_cli.completion import case_arguments
from clisc_cli.console import print_json, result_console
from clisc_cli.options import project_and_case
from clisc_cli.words import bytes_in_words, seconds_in_words, shortened, time_in_words

if TYPE_CHECKING:
    from clisc_engine.project.project import Project
    from clisc_engine.upkeep.status import StageStatus

COLOURS = {"fresh": "green", "stale": "yellow", "partly": "yellow", "missing": "red"}

CaseName = Annotated[
    str | None,
    typer.Argument(metavar="[CASE]", help="One case.", show_default=False, autocompletion=case_arguments),
]

DirectoryOrCase = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DIR]",
        help="Project folder; inside a project it can be left out.",
        show_default=False,
        autocompletion=case_arguments,
    ),
]


def command(
    directory: DirectoryOrCase = None,
    case: CaseName = None,
    json_: Annotated[bool, typer.Option("--json", help="Result as one JSON document.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Whole reasons; tracebacks.")] = False,
) -> None:
    """Show how far each step is, what is stale and why, and what to run next.

    With a case: each of its arrays and what made it.

    Example: clisc status glioma    clisc status glioma patient-007
    """
    project, name = project_and_case(directory, case)
    document = _project(project, directory) if name is None else _case(project, name)
    if json_:
        print_json(document)
    elif name is None:
        _show_project(document, verbose)
    else:
        _show_case(document, verbose)


def _project(project: Project, directory: Path | None) -> dict[str, Any]:
    from clisc_engine.running import journal
    from clisc_engine.upkeep.status import disk_use, next_stage
    from clisc_engine.upkeep.survey import survey

    stages = survey(project)
    done = {entry.stage: entry for entry in journal.entries(project)}
    following = next_stage(stages)
    where = f" {directory}" if directory else ""
    return {
        "project": str(project.root),
        "weights": project.settings.weights,
        "cases": len(project.cases()),
        "stages": [
            {**_stage(status), "device": done[status.stage].device if status.stage in done else ""}
            for status in stages
        ],
        "next": f"clisc {following}{where}" if following else "",
        "disk": disk_use(project),
    }


def _stage(status: StageStatus) -> dict[str, Any]:
    done, total = status.cases
    return {
        "stage": status.stage,
        "state": status.state,
        "done": done,
        "total": total,
        "why": status.why,
        "note": status.note,
        "time": status.time,
        "seconds": round(status.seconds, 3),
    }


def _case(project: Project, name: str) -> dict[str, Any]:
    from clisc_engine.upkeep.status import items_of, seals_of
    from clisc_engine.upkeep.survey import survey

    case = project.case(name)
    items = items_of(survey(project), name)
    arrays = {
        array: {
            **asdict(seal),
            "state": items[array].state if array in items else "fresh",
            "why": items[array].why if array in items else "",
        }
        for array, seal in seals_of(project, case).items()
    }
    missing = {array: item.why for array, item in items.items() if item.state == "missing"}
    return {"case": asdict(case.info), "arrays": arrays, "missing": missing}


def _show_project(document: dict[str, Any], verbose: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    console = result_console()
    console.print(
        f"{document['project']}: {document['cases']} cases, {document['weights']} weights", markup=False
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("step", "state", "done", "when", "took", "on"):
        table.add_column(heading, no_wrap=heading != "on", justify="right" if heading == "took" else "left")
    table.add_column("why", overflow="fold")
    for stage in document["stages"]:
        state = stage["state"]
        why = stage["why"] if verbose else shortened(stage["why"], 70)
        table.add_row(
            stage["stage"],
            Text(state, style=COLOURS.get(state, "dim")),
            f"{stage['done']}/{stage['total']}" if state != "impossible" else "",
            time_in_words(stage["time"]),
            seconds_in_words(stage["seconds"]) if stage["seconds"] else "",
            Text(stage["device"]),
            Text(why),
        )
    console.print(table)
    disk = document["disk"]
    parts = ", ".join(f"{name} {bytes_in_words(size)}" for name, size in disk.items())
    console.print(f"Disk: {bytes_in_words(sum(disk.values()))} ({parts})", markup=False)
    following = document["next"]
    console.print(
        f"Next: {following}" if following else "All that can be made is up to date.", markup=False
    )


def _show_case(document: dict[str, Any], verbose: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    info = document["case"]
    spacing = " x ".join(f"{value:g}" for value in info["spacing"])
    console = result_console()
    console.print(
        f"{info['name']}: {info['split']}, spacing {spacing} mm (z, y, x), from {info['source']}",
        markup=False,
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("array", "state", "made by", "when", "took", "seal"):
        table.add_column(heading, no_wrap=True, justify="right" if heading == "took" else "left")
    table.add_column("why" if not verbose else "made from, why", overflow="fold")
    for name, seal in document["arrays"].items():
        origin = "\n".join(f"{key} = {value}" for key, value in seal["made_from"].items())
        why = f"{seal['why']}\n{origin}".strip() if verbose else shortened(seal["why"], 70)
        table.add_row(
            name,
            Text(seal["state"], style=COLOURS[seal["state"]]),
            f"{seal['stage']} {seal['version']}",
            time_in_words(seal["time"]),
            seconds_in_words(seal["seconds"]) if seal["seconds"] else "",
            seal["fingerprint"],
            Text(why),
        )
    for name, why in document["missing"].items():
        table.add_row(name, Text("missing", style="red"), "", "", "", "", Text(shortened(why, 70)))
    console.print(table)
