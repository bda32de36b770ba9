"""``clisc sweep``: the plain form, which runs one, and ``sweep list`` and ``sweep remove``."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from clisc_cli.columns import add_figures
from clisc_cli.completion import project_or_settings, rows, sweep_names
from clisc_cli.console import print_json, print_line, result_console
from clisc_cli.measured import spread
from clisc_cli.named import Directory, Splits, chosen_splits, folder_and_name
from clisc_cli.options import RunOptions, with_run_options
from clisc_cli.reports import fail_if_cases_failed
from clisc_cli.session import Session
from clisc_cli.switches import Json, Quiet, Verbose
from clisc_cli.words import counted, shortened

if TYPE_CHECKING:
    from clisc_engine.project.project import Project
    from clisc_engine.sweeps.running import Outcome

RUN = "run"
NOT_HEEDED = ("seed", "assignments", "cases", "force", "variant")
"""Shared options that a sweep lacks: it sets settings and seeds in variants of its own, and measures whole
splits."""


class PlainFormRuns(TyperGroup):
    """A group in which whatever names none of its commands is for `run`: ``clisc sweep amda.t=0,10``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `run` before the arguments of the plain form."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [RUN, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=PlainFormRuns,
    help="Measure a row of the tables over the values of a setting: clisc sweep [DIR] KEY=V1,V2,...",
    no_args_is_help=True,
)


def known_row(value: str) -> str:
    """The value of ``--row`` again, if it is one.

    Raises:
        BadParameter: when it is none.
    """
    from clisc_engine.products.dependence import MEASURED

    if value not in MEASURED:
        close = get_close_matches(value, MEASURED, n=1)
        meant = f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(MEASURED)}"
        raise typer.BadParameter(f"{value!r} is no row{meant}", param_hint="--row")
    return value


def run(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[DIR] KEY=V1,V2...",
            help="Settings and their values; with several, every combination.",
            autocompletion=project_or_settings,
        ),
    ],
    row: Annotated[
        str, typer.Option(help="Row of Table 1 or 2.", callback=known_row, autocompletion=rows)
    ] = "full",
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, max=1000, help="So many seeds for each value, from the project's on.", show_default=False
        ),
    ] = None,
    splits: Splits = None,
    only: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Make one value alone, by its number from 0: a task of an array job.",
            show_default=False,
        ),
    ] = None,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Make only what several values share, before --only.")
    ] = False,
    *,
    options: RunOptions,
) -> None:
    """Make a row of the tables at each value, sharing all that does not depend on it, and measure it.

    `clisc sweep KEY=V1,V2` is short for `clisc sweep run KEY=V1,V2`.

    Example: clisc sweep run glioma amda.t=0,10,20,30 --row cam-amda --seeds 3
    """
    from clisc_engine.sweeps.sweep import sweep_of

    directory, typed = _folder_and_settings(words)
    if only is not None and prepare:
        raise typer.BadParameter("--prepare comes before --only, in a command of its own")
    project = options.open_shared(directory) if only is not None else options.open_project(directory)
    sweep = sweep_of(project.settings, typed, row, chosen_splits(splits, ("test",)), seeds)
    asked = {"--row": row if row != "full" else None, "--seeds": seeds, "--splits": splits}
    given = [word for name, value in asked.items() if value for word in (name, str(value))]
    again = shlex.join([str(project.root), *typed, *given])
    from clisc_engine.sweeps.running import run_sweep  # torch, which no wrong setting waits for

    outcome = run_sweep(project, sweep, options.control(), prepare=prepare, only=only, words=again)
    tables = f"`clisc sweep {again}` writes the tables" if only is not None else ""
    _show(project, outcome, options, prepared=prepare, tables=tables)


def _folder_and_settings(words: list[str]) -> tuple[Path | None, list[str]]:
    """The project's folder, if it is given, and the settings with their values after it.

    Raises:
        BadParameter: when there is none, or one is not ``KEY=V1,V2,...``.
    """
    directory = Path(words[0]) if "=" not in words[0] else None
    typed = words if directory is None else words[1:]
    if not typed or (wrong := [word for word in typed if not word.partition("=")[0] or "=" not in word]):
        said = f"{wrong[0]!r} is not KEY=V1,V2,..." if typed else "name a setting and its values"
        raise typer.BadParameter(f"{said}, e.g. amda.t=0,10,20,30", param_hint="KEY=V1,V2...")
    return directory, typed


app.command(RUN)(with_run_options(run, without=NOT_HEEDED))


@app.command("list")
def list_(
    context: typer.Context, directory: Directory = None, json_: Json = False, verbose: Verbose = False
) -> None:
    """List the sweeps of a project, how far each is, and whether it still holds.

    Example: clisc sweep list glioma
    """
    if context.ensure_object(Session).is_left_to_rank_0("sweep list"):
        return
    from clisc_engine.project.project import open_project
    from clisc_engine.sweeps.overview import overview

    found = overview(open_project(directory))
    if json_:
        print_json({"sweeps": [asdict(one) for one in found]})
        return
    console = result_console()
    for one in found:
        state = f"{one.measured} of {one.points} values measured" + (f"; {one.why}" if one.why else "")
        print_line(f"{one.name}: {one.values} ({state})")
    if not found:
        console.print("No sweeps.", markup=False)


@app.command("remove")
def remove(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(metavar="[DIR] NAME", help="Sweep as listed.", autocompletion=sweep_names),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed.")] = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Remove a sweep with its tables, and the variants that no other sweep needs; never the project's own.

    Example: clisc sweep remove glioma amda.t@cam-amda
    """
    if context.ensure_object(Session).is_left_to_rank_0("sweep remove"):
        return
    from clisc_engine.project.project import open_project, project_root
    from clisc_engine.sweeps import record

    directory, name = folder_and_name(words, "sweep", "NAME")
    root = project_root(directory)
    RunOptions(context, quiet=quiet, dry_run=dry_run).hold(root)
    project = open_project(root)
    gone = record.to_remove(project, name) if dry_run else record.remove(project, name)
    if json_:
        print_json({"sweep": name, "variants": gone, "dry_run": dry_run})
        return
    said = f", with {', '.join(gone)}" if gone else ""
    verb = "would be removed" if dry_run else "removed"
    print_line(f"{name}: {verb}{said}")


def _show(project: Project, outcome: Outcome, options: RunOptions, *, prepared: bool, tables: str) -> None:
    """Print the outcome; ``tables`` says who writes the tables where this call has not."""
    from clisc_engine.sweeps import record

    name, document = outcome.sweep.name, outcome.result
    if options.json_:
        from clisc_engine.settings.keys import decoded

        result = document and {**document, "settings": decoded(document["settings"])}
        print_json({**asdict(outcome), "sweep": name, "result": result, "dry_run": options.dry_run})
    elif options.dry_run:
        _show_plan(outcome)
    else:
        console = result_console()
        if document is not None:
            console.print(points_table(document))
            if note := _note(document):
                console.print(f"Note: {note}.", markup=False)
        print_line(_summary(outcome, prepared))
        if document is not None:
            options.terminal().say(tables or f"Tables are in {record.folder_of(project, name)}")
    failed = {f"{point}, {case}": why for point, of in outcome.failed.items() for case, why in of.items()}
    measured = sum(point["n"] for point in document["points"]) if document else 0
    fail_if_cases_failed(f"sweep {name}", failed, measured, "", options)


def points_table(document: dict[str, Any]) -> Any:
    """One line a value."""
    from rich.table import Table

    from clisc_engine.sweeps.sweep import plain

    seeds = len(document["seeds"])
    over = f"over {seeds} seeds" if seeds > 1 else f"seed {document['seeds'][0]}"
    title = (
        f"{document['row']}, {', '.join(document['splits'])} cases, {over} ({document['weights']} weights)"
    )
    table = Table(title=title)
    of_seeds = ["DSC's SD of seeds"] if seeds > 1 else []
    add_figures(table, *document["keys"], "DSC %", "HD95 mm", "n", "empty", *of_seeds)
    for point in document["points"]:
        values = list(point["values"].values())
        here = "*" if values == document["here"] else ""
        cells = [plain(value) for value in values]
        cells[-1] += here
        of_means = point["dsc_std_of_seeds"]
        table.add_row(
            *cells,
            *(spread(point[f"{m}_mean"], point[f"{m}_std"], point["n"]) for m in ("dsc", "hd95")),
            str(point["n"]),
            str(point["empty"]),
            *([f"{of_means:.2f}" if of_means is not None else ""] if seeds > 1 else []),
        )
    starred = any(list(point["values"].values()) == document["here"] for point in document["points"])
    these = "cases and seeds" if seeds > 1 else "cases"
    table.caption = f"mean ± SD over {these}" + ("; * as the project is set" if starred else "")
    return table


def _note(document: dict[str, Any]) -> str:
    from clisc_engine.stages.evaluation.comparing import TINY_NOTE

    return TINY_NOTE if document["weights"] == "tiny" else ""


def _summary(outcome: Outcome, prepared: bool) -> str:
    name, count = outcome.sweep.name, len(outcome.sweep.points())
    if prepared:
        where = ", ".join(outcome.made)
        return f"sweep {name}: " + (f"made what is shared, in {where}" if where else "all shared is there")
    if not outcome.made and not outcome.measured:
        if outcome.waiting:
            return (
                f"sweep {name}: this value is up to date; {len(outcome.waiting)} of {count} are to follow"
            )
        return f"sweep {name}: all {count} values up to date, nothing made or measured"
    made = f"made in {', '.join(outcome.made)}" if outcome.made else "nothing made"
    rest = f"; {len(outcome.waiting)} of {count} are to follow" if outcome.waiting else ""
    return f"sweep {name}: {made}; {len(outcome.measured)} of {count} values measured{rest}"


def _show_plan(outcome: Outcome) -> None:
    console = result_console()
    count = len(outcome.sweep.points())
    if not outcome.made and not outcome.measured:
        console.print(f"sweep {outcome.sweep.name}: all {count} values up to date", markup=False)
        return
    said = f"{len(outcome.measured)} of {count} values to measure"
    console.print(f"sweep {outcome.sweep.name}: {said}", markup=False)
    for node in dict.fromkeys([*outcome.made, *outcome.shared]):
        made = outcome.made.get(node, {})
        for product, reasons in made.items():
            cases = f" of {counted(len(reasons), 'case')}" if any(reasons) else ""
            why = shortened(next(iter(reasons.values())), 70)
            print_line(f"  {node}: makes {product}{cases}: {why}")
        if node in outcome.shared:
            shared = len(outcome.shared[node])
            print_line(f"  {node}: shares {shared} products")
