"""Rendering of Table 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clisc_cli.columns import add_figures, add_words
from clisc_cli.console import print_json, print_line, result_console
from clisc_cli.measured import groups_table, spread, table_of_cases, without_tumour_table
from clisc_cli.options import RunOptions
from clisc_cli.words import counted
from clisc_engine.files.words import p_in_words

if TYPE_CHECKING:
    from clisc_engine.project.project import Project


def show_table1(
    document: dict[str, Any], project: Project, options: RunOptions, *, cases_table: bool
) -> None:
    """Print Table 1 as tables, with one of the cases if asked, or as the JSON document."""
    from clisc_engine.stages.evaluation.told import few_cases, with_commands

    document = with_commands(document, project.store.home.pasted)
    if options.json_:
        print_json(document)
        return
    console = result_console()
    console.print(rows_table(document))
    if any(row["against_full"] for row in document["rows"]):
        console.print(tests_table(document))
    titles = {row["name"]: row["title"] for row in document["rows"]}
    if document["groups"]:
        console.print(groups_table(document, "method", titles))
    if document["without_tumour"]["cases"]:
        console.print(without_tumour_table(document["without_tumour"], "method", titles))
    if cases_table:
        console.print(table_of_cases(document, titles))
    for row in document["lacking"]:
        there = f"{row['having']} of {row['cases']} cases have it" if row["having"] else "not there"
        print_line(f"{row['title']}: {there}; `{row['command']}` makes it")
    if few := few_cases(document):
        print_line(few)
    for note in ([f"{document['note']}."] if document["note"] else []) + document["notes"]:
        console.print(f"Note: {note}", markup=False)
    options.terminal().say(f"Tables are in {project.results}")


def rows_table(document: dict[str, Any]) -> Any:
    """One line a row; a star marks a significant difference from CLISC."""
    from rich.table import Table

    from clisc_engine.baselines.table1.paper import titled
    from clisc_engine.stages.evaluation.told import splits_in_words

    count = len({entry["case"] for entry in document["cases"] if entry["dsc"] is not None})
    cases = counted(count, "case")
    behind = "; ".join(filter(None, (splits_in_words(document), f"{document['weights']} weights")))
    table = Table(title=f"Table 1, measured on {cases} ({behind}): mean ± SD over n cases")
    paper_title = document["paper_title"]
    add_words(table, "method", "label-\nfree")
    add_figures(table, "DSC %", "HD95 mm", "n", "empty", f"{paper_title}: DSC %", f"{paper_title}: HD95 mm")
    for row in document["rows"]:
        tests, paper = row["against_full"] or {}, row["paper"] or {}
        table.add_row(
            titled(row),
            "yes" if row["label_free"] else "no",
            *(
                spread(row[f"{m}_mean"], row[f"{m}_std"], row["n"]) + _star(tests.get(m))
                for m in ("dsc", "hd95")
            ),
            str(row["n"]),
            str(row["empty"]),
            *(spread(paper.get(f"{m}_mean"), paper.get(f"{m}_std")) for m in ("dsc", "hd95")),
            style="bold" if row["name"] == "full" else None,
        )
    return table


def tests_table(document: dict[str, Any]) -> Any:
    """Each row against CLISC: the mean difference over the cases that both have, and p after Holm."""
    from rich.table import Table

    table = Table(title="Against CLISC: Wilcoxon signed-rank, Holm over the rows, * p < 0.05")
    add_words(table, "method")
    add_figures(table, "pairs", "DSC %", "p", "HD95 mm", "p")
    for row in document["rows"]:
        if row["against_full"]:
            dsc, hd95 = row["against_full"]["dsc"], row["against_full"]["hd95"]
            cells = [cell for test in (dsc, hd95) for cell in (_difference(test), _p(test))]
            table.add_row(row["title"], str(dsc["n"]), *cells)
    return table


def _star(test: dict[str, Any] | None) -> str:
    return "*" if test and test["significant"] else ""


def _difference(test: dict[str, Any]) -> str:
    return "" if test["difference"] is None else f"{test['difference']:+.2f}"


def _p(test: dict[str, Any]) -> str:
    if test["p_holm"] is None:
        return ""
    return p_in_words(test["p_holm"]) + _star(test)
