"""``clisc evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from clisc_cli.console import print_json, result_console
from clisc_cli.named import Directory, Splits, chosen_splits
from clisc_cli.options import RunOptions, with_run_options
from clisc_cli.reports import fail_if_cases_failed
from clisc_cli.table2 import show_table2
from clisc_cli.words import counted

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
    show_table2(document, project, options, cases_table=cases_table)
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
    from clisc_engine.stages.evaluation.told import with_commands

    chosen = chosen_splits(splits, ("test",))
    project = options.open_project(directory)
    if latex is not None:
        outputs_for(project, latex)
    control = options.control()
    document = run_table1(project, control, chosen)
    if options.dry_run:
        show_plan(with_commands(document, project.store.home.pasted), options)
        return
    if latex is not None and control.ranks.rank == 0:
        write_latex(project, document, latex)
    show_table1(document, project, options, cases_table=cases_table)
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


def fail_if_unmeasured(document: dict[str, Any], options: RunOptions, command: str = "evaluate") -> None:
    """Fail with exit code 5 when some cases could not be measured.

    Raises:
        CasesFailed: naming them.
    """
    measured = len({entry["case"] for entry in document["cases"]} - set(document["failed"]))
    fail_if_cases_failed(command, document["failed"], measured, "", options)
