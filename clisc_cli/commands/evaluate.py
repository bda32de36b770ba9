"""``clisc evaluate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from clisc_cli.console import print_json, result_console
from clisc_cli.options import Directory, RunOptions, Splits, chosen_splits, with_run_options
from clisc_cli.reports import fail_if_cases_failed

if TYPE_CHECKING:
    from pathlib import Path

Ablation = Annotated[
    bool, typer.Option("--ablation", help="Add the rows that need more SAM passes or training.")
]


@with_run_options
def command(
    directory: Directory = None,
    splits: Splits = None,
    ablation: Ablation = False,
    *,
    options: RunOptions,
) -> None:
    """Compare every stage's masks with the reference masks (Table 2 of the paper).

    Example: clisc evaluate glioma --ablation --json
    """
    from clisc_engine.stages.pipeline import run_evaluation

    project = options.open_project(directory)
    chosen = chosen_splits(splits, ("test",))
    document = run_evaluation(project, options.control(chosen), ablation=ablation, splits=chosen)
    show_evaluation(document, project.results, options)
    fail_if_unmeasured(document, options)


def show_evaluation(document: dict[str, Any], results: Path, options: RunOptions) -> None:
    """Print the evaluation as a table, or as the JSON document."""
    if options.json_:
        print_json(document)
        return
    console = result_console()
    console.print(rows_table(document))
    if len({entry["group"] for entry in document["groups"]}) > 1:
        console.print(groups_table(document))
    if document["note"]:
        console.print(f"Note: {document['note']}.", markup=False)
    options.terminal().say(f"Tables are in {results}")


def fail_if_unmeasured(document: dict[str, Any], options: RunOptions) -> None:
    """Fail with exit code 5 when some cases could not be measured.

    Raises:
        CasesFailed: naming them.
    """
    measured = len({entry["case"] for entry in document["cases"]})
    fail_if_cases_failed("evaluate", document["failed"], measured, "", options)


def rows_table(document: dict[str, Any]) -> Any:
    """Table 2: one line a row."""
    from rich.table import Table

    count = document["rows"][0]["n"]
    cases = "1 case" if count == 1 else f"{count} cases"
    table = Table(title=f"Measured on {cases} ({document['weights']} weights)")
    table.add_column("row")
    for heading in ("DSC %", "HD95 mm", "n", "empty"):
        table.add_column(heading, justify="right")
    for row in document["rows"]:
        table.add_row(
            row["name"],
            *(_mean(row[f"{metric}_mean"], row[f"{metric}_std"], row["n"]) for metric in ("dsc", "hd95")),
            str(row["n"]),
            str(row["empty"]),
        )
    return table


def _mean(mean: float, deviation: float, count: int) -> str:
    """One case has no deviation."""
    return f"{mean:.2f} ± {deviation:.2f}" if count > 1 else f"{mean:.2f}"


def groups_table(document: dict[str, Any]) -> Any:
    """Mean DSC by tumour size, one column a group."""
    from rich.table import Table

    groups = list(dict.fromkeys(entry["group"] for entry in document["groups"]))
    table = Table(title="DSC % by tumour size (fifths of the tested volumes)")
    table.add_column("row")
    for group in groups:
        table.add_column(group, justify="right")
    means = {(e["name"], e["group"]): e["dsc_mean"] for e in document["groups"]}
    for row in document["rows"]:
        table.add_row(row["name"], *(f"{means[row['name'], group]:.2f}" for group in groups))
    return table
