"""What ``clisc status DIR CASE`` says: each array of a case, its state and what made it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from clisc_cli.console import print_line, result_console
from clisc_cli.states import COLOURS, REASONS_BESIDE, show_reasons
from clisc_cli.words import seconds_in_words, shortened, time_in_words

if TYPE_CHECKING:
    from clisc_engine.project.project import Project


def seen(project: Project, name: str) -> dict[str, Any]:
    """The document of a case.

    Raises:
        BadInput: when the project has no such case.
    """
    from clisc_engine.settings.keys import decoded
    from clisc_engine.upkeep.status import items_of, seals_of
    from clisc_engine.upkeep.survey import survey

    case = project.case(name)
    items = items_of(survey(project), name)
    arrays = {
        array: {
            **asdict(seal),
            "made_from": decoded(seal.made_from),
            "state": items[array].state if array in items else "fresh",
            "why": items[array].why if array in items else "",
        }
        for array, seal in seals_of(project, case).items()
    }
    missing = {array: item.why for array, item in items.items() if item.state == "missing"}
    return {"case": asdict(case.info), "arrays": arrays, "missing": missing}


def show(document: dict[str, Any], verbose: bool) -> None:
    """Print it; ``verbose`` gives whole reasons, and all that an array was made from."""
    from rich.table import Table
    from rich.text import Text

    info = document["case"]
    spacing = " x ".join(f"{value:g}" for value in info["spacing"])
    console = result_console()
    print_line(f"{info['name']}: {info['split']}, spacing {spacing} mm (z, y, x), from {info['source']}")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    beside = console.width >= REASONS_BESIDE
    why_heading = "why" if not verbose else "made from, why"
    for heading in (
        "array",
        "state",
        "made by",
        "when",
        "took",
        "seal",
        *([why_heading] if beside else []),
    ):
        table.add_column(heading, overflow="fold", justify="right" if heading == "took" else "left")
    whys = {name: shortened(why, 70) for name, why in document["missing"].items()}
    for name, seal in document["arrays"].items():
        origin = "\n".join(f"{key} = {_text(value)}" for key, value in seal["made_from"].items())
        whys[name] = f"{seal['why']}\n{origin}".strip() if verbose else shortened(seal["why"], 70)
        table.add_row(
            name,
            Text(seal["state"], style=COLOURS[seal["state"]]),
            f"{seal['stage']} {seal['version']}",
            time_in_words(seal["time"]),
            seconds_in_words(seal["seconds"]) if seal["seconds"] else "",
            seal["fingerprint"],
            *([Text(whys[name])] if beside else []),
        )
    for name in document["missing"]:
        reason = [Text(whys[name])] if beside else []
        table.add_row(name, Text("missing", style="red"), "", "", "", "", *reason)
    console.print(table)
    if not beside:
        show_reasons(whys)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
