"""``clisc compare``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from clisc_cli.columns import add_figures, add_words
from clisc_cli.completion import sides
from clisc_cli.console import Terminal, print_json, print_line, result_console
from clisc_cli.places import file_of_kind
from clisc_cli.session import Session
from clisc_cli.switches import Json, Quiet, Verbose
from clisc_cli.words import counted, shortened, time_in_words
from clisc_engine.files.words import p_in_words


def command(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[DIR] [A] B",
            help="Each base, a variant, or a project's folder; @FINGERPRINT for an earlier evaluation.",
            autocompletion=sides,
        ),
    ],
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv", metavar="FILE", help="Write the rows, and FILE-cases.csv.", show_default=False
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report", metavar="FILE", help="Write a page with pictures (.html).", show_default=False
        ),
    ] = None,
    pictures: Annotated[
        int, typer.Option(min=0, max=100, help="With --report: so many cases as pictures.")
    ] = 4,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compare two evaluations: settings, means and paired differences of the same cases, with a test.

    Nothing is measured: both sides are read as `evaluate` left them. Differences are B minus A; without A
    it is the project itself. `clisc evaluate --history` lists earlier evaluations.

    Example: clisc compare glioma t10    clisc compare glioma t10 t20 --csv t.csv    clisc compare one two
    """
    from clisc_engine.results.compare import compare
    from clisc_engine.results.sides import sides_of

    if len(words) > 3:
        raise typer.BadParameter("name two sides, after the project's folder", param_hint="A B")
    if csv is not None:
        file_of_kind(csv, (".csv",), "a table", option="--csv")
    if report is not None:
        from clisc_engine.report.write import PAGES

        file_of_kind(report, PAGES, "a page", option="--report")
    if context.ensure_object(Session).is_left_to_rank_0("compare"):
        return
    a, b = sides_of(words)
    document = compare(a, b)
    terminal = Terminal(quiet=quiet)
    written: list[Path] = []
    if csv is not None:
        from clisc_engine.results.compare_tables import write_tables

        written += write_tables(a, b, document, csv)
    if report is not None:
        from clisc_engine.report.compared import write_comparison

        page = write_comparison(a, b, document, report, pictures)
        written.append(page.file)
        for name, why in page.failed.items():
            terminal.warn(f"{name} is left out: {why}")
    if json_:
        print_json({**document, "files": [str(path) for path in written]})
        return
    show_comparison(document)
    for path in written:
        terminal.say(f"Written: {path}")


def show_comparison(document: dict[str, Any]) -> None:
    """Print a comparison for people."""
    console = result_console()

    a, b = document["sides"]
    print_line(f"a: {_side(a)}")
    print_line(f"b: {_side(b)}")
    for key, values in (document["settings"] or {}).items():
        print_line(f"  {key}: {_text(values['a'])} -> {_text(values['b'])}")
    if document["settings"] == {}:
        print_line("  no setting differs")
    if document["rows"]:
        console.print(rows_table(document))
    for key, words in (
        ("only_a", f"measured in {a['label']} alone"),
        ("only_b", f"measured in {b['label']} alone"),
        ("other_reference", "left out, since the references differ"),
    ):
        if names := document["cases"][key]:
            print_line(f"{counted(len(names), 'case')} {words}: {', '.join(names)}")
    for key, side in (("a", a), ("b", b)):
        if rows := document["lacking"][key]:
            print_line(f"Not measured in {side['label']}: {', '.join(rows)}")
    for line in _stale_lines(document):
        print_line(line)
    if rivals := document["table1"]:
        _show_table1({**document, **rivals})
    for note in document["notes"]:
        print_line(f"Note: {note}.")


def _show_table1(document: dict[str, Any]) -> None:
    """The same of the rows of Table 1."""
    console, titles = result_console(), document["titles"]
    if document["rows"]:
        console.print(rows_table(document, titles, "Table 1: "))
    for key, side in zip(("a", "b"), document["sides"], strict=True):
        if rows := [titles[row] for row in document["lacking"][key]]:
            line = f"Not in Table 1 of {side['label']}: {', '.join(rows)}"
            print_line(line)
        if why := document["outdated"][key]:
            line = f"Table 1 of {side['label']} was measured before it changed: {shortened(why, 110)}"
            print_line(line)


def rows_table(document: dict[str, Any], titles: Mapping[str, str] | None = None, of: str = "") -> Any:
    """A line for each row that both sides have, under its title where it has one; DSC first, then HD95."""
    from rich.table import Table

    table = Table(
        title=f"{of}b minus a over {counted(len(document['cases']['both']), 'case')} that both measured"
    )
    add_words(table, "", "row")
    add_figures(table, "a", "b", "b - a", "p", "n")
    for metric, unit in (("dsc", "DSC %"), ("hd95", "HD95 mm")):
        for place, row in enumerate(document["rows"]):
            stale = any(row[key]["state"] == "stale" for key in ("a", "b"))
            name = (titles or {}).get(row["name"], row["name"])
            cells = _cells(row[metric], row["same"])
            table.add_row("" if place else unit, f"{name} *" if stale else name, *cells)
        table.add_section()
    table.caption = (
        "p: Wilcoxon signed-rank over the cases, Holm over the rows; same: of the very same masks"
    )
    return table


def _cells(found: dict[str, Any], same: bool) -> list[str]:
    if found["difference"] is None:
        return ["", "", "", "", "0"]
    p = "same" if same else p_in_words(found["p_holm"])
    return [f"{found['a']:.2f}", f"{found['b']:.2f}", f"{found['difference']:+.2f}", p, str(found["n"])]


def _stale_lines(document: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for key, side in zip(("a", "b"), document["sides"], strict=True):
        lines += [
            f"* {row['name']} of {side['label']} is stale: {shortened(row[key]['why'], 110)}"
            for row in document["rows"]
            if row[key]["state"] == "stale"
        ]
        if side["outdated"]:
            lines.append(f"{side['label']} was measured before it changed: {side['outdated']}")
    return lines


def _side(side: dict[str, Any]) -> str:
    place = side["project"] + (f", variant {side['variant']}" if side["variant"] else "")
    when = f", measured {time_in_words(side['time'])}" if side["time"] else ""
    earlier = ", an earlier evaluation" if side["earlier"] else ""
    return f"{side['label']} ({place}{when}{earlier}, {side['fingerprint'][:8]})"


def _text(value: Any) -> str:
    from clisc_engine.sweeps.sweep import plain

    return plain(value)
