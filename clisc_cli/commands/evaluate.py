"""``clisc evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from clisc_cli.console import print_json, result_console
from clisc_cli.named import Directory, Splits, chosen_splits
from clisc_cli.options import RunOptions, with_run_options
from clisc_cli.reports import fail_if_cases_failed
from clisc_cli.words import counted, shortened

Ablation = Annotated[
    bool, typer.Option("--ablation", help="Add the rows that need more SAM passes or training.")
]

CasesTable = Annotated[
    bool, typer.Option("--cases-table", help="Show the DSC of every case, too. --json has it anyway.")
]
Table1 = Annotated[
    bool,
    typer.Option("--table1", help="Compare CLISC with the rivals instead (Table 1; `clisc baseline`)."),
]
Latex = Annotated[
    Path | None,
    typer.Option(
        "--latex",
        metavar="FILE",
        help="With --table1: write the table for LaTeX, too (.tex).",
        show_default=False,
    ),
]


@with_run_options
def command(
    directory: Directory = None,
    splits: Splits = None,
    ablation: Ablation = False,
    table1: Table1 = False,
    latex: Latex = None,
    cases_table: CasesTable = False,
    seen: Annotated[
        bool,
        typer.Option(
            "--seen", help="Measure test cases that a network has learnt from, too; they are named."
        ),
    ] = False,
    history: Annotated[
        bool,
        typer.Option(
            "--history", help="List the evaluations made so far, and the settings that they differ in."
        ),
    ] = False,
    *,
    options: RunOptions,
) -> None:
    """Compare every stage's masks with the reference masks (the paper's Table 2), or the rivals' (Table 1).

    Example: clisc evaluate glioma --ablation --json
    """
    if history:
        from clisc_cli.history import show_history

        given = {"--table1": table1 or latex is not None, "--ablation": ablation, "--seen": seen}
        show_history(directory, {**given, "--splits": splits is not None}, options)
        return
    if table1 or latex is not None:
        if seen:
            raise typer.BadParameter(
                "does not go with --table1, which names seen cases", param_hint="--seen"
            )
        _table1(
            directory, splits, latex, options, table1=table1, ablation=ablation, cases_table=cases_table
        )
        return
    from clisc_engine.stages.pipeline import run_evaluation

    project = options.open_project(directory)
    chosen = chosen_splits(splits, ("test",))
    document = run_evaluation(project, options.control(), ablation=ablation, splits=chosen, seen=seen)
    if options.dry_run:
        show_plan(document, options)
        return
    show_evaluation(document, project.results, options, cases_table=cases_table)
    fail_if_unmeasured(document, options)


def _table1(
    directory: Path | None,
    splits: str | None,
    latex: Path | None,
    options: RunOptions,
    *,
    table1: bool,
    ablation: bool,
    cases_table: bool,
) -> None:
    """Table 1; nothing is measured for a LaTeX file that may not be written."""
    from clisc_cli.places import file_of_kind

    if not table1:
        raise typer.BadParameter("is a table of --table1; add it", param_hint="--latex")
    if ablation:
        raise typer.BadParameter("adds to Table 2; leave it out with --table1", param_hint="--ablation")
    if latex is not None:
        file_of_kind(latex, (".tex",), "a table for LaTeX", option="--latex")
    from clisc_cli.table1 import show_table1
    from clisc_engine.baselines.table1.evaluate import run_table1
    from clisc_engine.baselines.table1.latex import outputs_for, write_latex

    chosen = chosen_splits(splits, ("test",))
    project = options.open_project(directory)
    if latex is not None:
        outputs_for(project, latex)
    control = options.control()
    document = run_table1(project, control, chosen)
    if options.dry_run:
        show_plan(document, options)
        return
    if latex is not None and control.ranks.rank == 0:
        write_latex(project, document, latex)
    show_table1(document, project.results, options, cases_table=cases_table)
    if latex is not None:
        options.terminal().say(f"For LaTeX: {latex}")
    fail_if_unmeasured(document, options, "evaluate --table1")


def show_plan(plan: dict[str, Any], options: RunOptions) -> None:
    """Print what a dry run found."""
    if options.json_:
        print_json(plan)
        return
    console = result_console()
    cases, rows = counted(len(plan["cases"]), "case"), counted(len(plan["rows"]), "row")
    if not plan["planned"]:
        console.print(f"{plan['stage']}: {cases} in {rows} up to date, nothing to do", markup=False)
        return
    console.print(f"{plan['stage']}: would measure {cases} in {rows}: {plan['planned']}", markup=False)
    for product, reasons in plan["first"].items():
        of_cases = f" of {counted(len(reasons), 'case')}" if any(reasons) else ""
        console.print(f"  first {product}{of_cases}: {next(iter(reasons.values()))}", markup=False)


def show_evaluation(
    document: dict[str, Any], results: Path, options: RunOptions, *, cases_table: bool = False
) -> None:
    """Print the evaluation as a table, with one of the cases if asked, or as the JSON document."""
    if options.json_:
        print_json(document)
        return
    from clisc_engine.stages.evaluation.told import few_cases, lacking_in_words

    console = result_console()
    console.print(rows_table(document))
    if len({entry["group"] for entry in document["groups"]}) > 1:
        console.print(groups_table(document))
    if document["without_tumour"]["cases"]:
        console.print(without_tumour_table(document["without_tumour"]))
    if cases_table:
        console.print(table_of_cases(document, {row["name"]: row["name"] for row in document["rows"]}))
    for line in filter(None, (lacking_in_words(document), few_cases(document))):
        console.print(line, markup=False, soft_wrap=True)
    if document["note"]:
        console.print(f"Note: {document['note']}.", markup=False)
    for note in document["notes"]:
        console.print(f"Note: {note}", markup=False)
    for name, networks in document["leaks"].items():
        verdict = (
            "is measured, though" if any(c["case"] == name for c in document["cases"]) else "is left out:"
        )
        line = f"{name} {verdict} {', '.join(networks)} learnt from it."
        console.print(line, markup=False, soft_wrap=True)
    for line in stale_lines(document):
        console.print(line, markup=False, soft_wrap=True)
    options.terminal().say(f"Tables are in {results}")


def fail_if_unmeasured(document: dict[str, Any], options: RunOptions, command: str = "evaluate") -> None:
    """Fail with exit code 5 when some cases could not be measured.

    Raises:
        CasesFailed: naming them.
    """
    measured = len({entry["case"] for entry in document["cases"]} - set(document["failed"]))
    fail_if_cases_failed(command, document["failed"], measured, "", options)


def rows_table(document: dict[str, Any]) -> Any:
    """Table 2: one line a row."""
    from rich.table import Table

    from clisc_engine.stages.evaluation.told import PAPER_ROWS

    cases = counted(document["rows"][0]["n"], "case")
    table = Table(title=f"Measured on {cases} ({document['weights']} weights): mean ± SD over n cases")
    table.add_column("row")
    table.add_column("in the paper")
    for heading in ("DSC %", "HD95 mm", "n", "empty"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in document["rows"]:
        table.add_row(
            _marked(row["name"], document),
            PAPER_ROWS[row["name"]],
            *(_mean(row[f"{metric}_mean"], row[f"{metric}_std"], row["n"]) for metric in ("dsc", "hd95")),
            str(row["n"]),
            str(row["empty"]),
        )
    return table


def stale_lines(document: dict[str, Any]) -> list[str]:
    """Which rows were made by other settings than today's, why, and how to renew them."""
    stale, renew = document["stale"]["rows"], document["stale"]["renew"]
    if not stale:
        return []
    whys = {row["name"]: row["why"] for row in document["rows"]}
    count = f"{len(stale)} of {counted(len(whys), 'row')}"
    commands = " and ".join(f"`{command}`" for command in renew)
    return [
        *(f"* {name} is stale: {shortened(whys[name], 110)}" for name in stale),
        f"{count} are of earlier settings or inputs; {commands} makes them anew, then `clisc evaluate`.",
    ]


def table_of_cases(document: dict[str, Any], titles: dict[str, str]) -> Any:
    """One line a case: the volume of its tumour, and the DSC of each row; ``titles`` by row."""
    from rich.table import Table

    table = Table(title="DSC % of each case")
    for heading in ("case", "size"):
        table.add_column(heading)
    for heading in ("tumour ml", *titles.values()):
        table.add_column(heading, justify="right")
    by_case: dict[str, dict[str, dict[str, Any]]] = {}
    for entry in document["cases"]:
        by_case.setdefault(entry["case"], {})[entry["name"]] = entry
    for case, entries in by_case.items():
        first = next(iter(entries.values()))
        scores = [entries.get(row, {}).get("dsc") for row in titles]
        cells = ["" if score is None else f"{score:.2f}" for score in scores]
        table.add_row(case, first["group"], f"{first['volume_ml']:.1f}", *cells)
    return table


def without_tumour_table(found: dict[str, Any]) -> Any:
    """The cases without tumour, which no other table counts: what each row marks in them."""
    from rich.table import Table

    names = ", ".join(found["cases"][:6]) + (" ..." if len(found["cases"]) > 6 else "")
    table = Table(title=f"{counted(len(found['cases']), 'case')} without tumour: {names}")
    table.add_column("row")
    for heading in ("n", "false positives", "their mean ml"):
        table.add_column(heading, justify="right")
    for row in found["rows"]:
        mean = "" if row["volume_ml_mean"] is None else f"{row['volume_ml_mean']:.2f}"
        table.add_row(row["name"], str(row["n"]), str(row["false_positives"]), mean)
    return table


def _mean(mean: float | None, deviation: float | None, count: int) -> str:
    """One case has no deviation; none has no mean."""
    if mean is None or deviation is None:
        return ""
    return f"{mean:.2f} ± {deviation:.2f}" if count > 1 else f"{mean:.2f}"


def groups_table(document: dict[str, Any]) -> Any:
    """Mean DSC by tumour size, one column a group."""
    from rich.table import Table

    from clisc_engine.stages.evaluation.told import counts_by_group

    counts = counts_by_group(document)
    groups = list(counts)
    table = Table(title="Mean DSC % by tumour size (fifths of the measured volumes)")
    table.add_column("row")
    for group, count in counts.items():
        table.add_column(f"{group}\n{count}", justify="right")
    means = {(e["name"], e["group"]): e["dsc_mean"] for e in document["groups"]}
    for row in document["rows"]:
        name = _marked(row["name"], document)
        table.add_row(name, *(f"{means[row['name'], group]:.2f}" for group in groups))
    return table


def _marked(row: str, document: dict[str, Any]) -> str:
    """The name of a row, with an asterisk if it is stale."""
    return f"{row} *" if row in document["stale"]["rows"] else row
