"""Rendering of Table 2, the evaluation of every step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clisc_cli.columns import add_figures, add_words
from clisc_cli.console import print_json, print_line, result_console
from clisc_cli.measured import groups_table, spread, table_of_cases, without_tumour_table
from clisc_cli.options import RunOptions
from clisc_cli.words import counted, shortened

if TYPE_CHECKING:
    from clisc_engine.errors import Home
    from clisc_engine.project.project import Project


def show_table2(
    document: dict[str, Any], project: Project, options: RunOptions, *, cases_table: bool = False
) -> None:
    """Print Table 2 as tables, with one of the cases if asked, or as the JSON document."""
    from clisc_engine.stages.evaluation.told import few_cases, lacking_in_words, with_commands

    home = project.store.home
    document = with_commands(document, home.pasted)
    if options.json_:
        print_json(document)
        return
    console = result_console()
    console.print(rows_table(document))
    names = {row["name"]: _marked(row["name"], document) for row in document["rows"]}
    if len({entry["group"] for entry in document["groups"]}) > 1:
        console.print(groups_table(document, "row", names))
    if document["without_tumour"]["cases"]:
        console.print(without_tumour_table(document["without_tumour"], "row", names))
    if cases_table:
        console.print(table_of_cases(document, {row["name"]: row["name"] for row in document["rows"]}))
    for line in filter(None, (lacking_in_words(document), few_cases(document))):
        print_line(line)
    if document["note"]:
        console.print(f"Note: {document['note']}.", markup=False)
    for note in document["notes"]:
        console.print(f"Note: {note}", markup=False)
    for name, networks in document["leaks"].items():
        verdict = (
            "is measured, though" if any(c["case"] == name for c in document["cases"]) else "is left out:"
        )
        line = f"{name} {verdict} {', '.join(networks)} learnt from it."
        print_line(line)
    for line in stale_lines(document, home):
        print_line(line)
    options.terminal().say(f"Tables are in {project.results}")


def rows_table(document: dict[str, Any]) -> Any:
    """Table 2: one line a row."""
    from rich.table import Table

    from clisc_engine.stages.evaluation.told import PAPER_ROWS, splits_in_words

    cases = counted(document["rows"][0]["n"], "case")
    behind = "; ".join(filter(None, (splits_in_words(document), f"{document['weights']} weights")))
    table = Table(title=f"Measured on {cases} ({behind}): mean ± SD over n cases")
    add_words(table, "row", "in the paper")
    add_figures(table, "DSC %", "HD95 mm", "n", "empty")
    for row in document["rows"]:
        table.add_row(
            _marked(row["name"], document),
            PAPER_ROWS[row["name"]],
            *(spread(row[f"{metric}_mean"], row[f"{metric}_std"], row["n"]) for metric in ("dsc", "hd95")),
            str(row["n"]),
            str(row["empty"]),
        )
    return table


def stale_lines(document: dict[str, Any], home: Home) -> list[str]:
    """Which rows were made by other settings than today's, why, and how to renew them there."""
    stale, renew = document["stale"]["rows"], document["stale"]["renew"]
    if not stale:
        return []
    whys = {row["name"]: row["why"] for row in document["rows"]}
    count = f"{len(stale)} of {counted(len(whys), 'row')}"
    commands = " and ".join(f"`{command}`" for command in renew)
    return [
        *(f"* {name} is stale: {shortened(whys[name], 110)}" for name in stale),
        f"{count} are of earlier settings or inputs; {commands} makes them anew, then "
        f"{home.in_words('evaluate')}.",
    ]


def _marked(row: str, document: dict[str, Any]) -> str:
    """The name of a row, with an asterisk if it is stale."""
    return f"{row} *" if row in document["stale"]["rows"] else row
