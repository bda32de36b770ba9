"""``clisc trust``."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from clisc_cli.console import print_json, print_line, result_console
from clisc_cli.named import Directory, Splits, chosen_splits
from clisc_cli.options import RunOptions, with_run_options
from clisc_cli.reports import show_report, warn_of_stale_network

if TYPE_CHECKING:
    from clisc_engine.core.trust import Calibration

NOT_HEEDED = ("seed", "assignments", "force", "batch_size")
"""Shared options that it lacks: it changes no setting, and the same masks always give the same answer."""


@partial(with_run_options, without=NOT_HEEDED)
def command(directory: Directory = None, splits: Splits = None, *, options: RunOptions) -> None:
    """Tell without labels how far each mask may be trusted, and which to look at first.

    It is told by how far SAM and the final network agree on a case. Masks that are lacking are made first.

    Example: clisc trust glioma
    """
    from clisc_engine.products.kinds import UNET_ROUND2
    from clisc_engine.stages.pipeline import run_trust
    from clisc_engine.stages.trust.table import overview

    project = options.open_project(directory)
    report = run_trust(project, options.control(), chosen_splits(splits))
    told = {*report.done, *report.fresh}
    found = overview(project)
    line = found.calibration
    entries = [
        {
            "case": name,
            "split": project.case(name).info.split,
            **asdict(entry),
            "expected": asdict(found.expected[name]) if line else None,
        }
        for name, entry in found.cases.items()
        if name in told
    ]
    if options.json_:
        print_json({**asdict(report), "cases": entries, "calibration": asdict(line) if line else None})
    elif entries:
        result_console().print(_table(entries))
        print_line(in_words(line))
    if entries:
        warn_of_stale_network(project, UNET_ROUND2, options.terminal())
    show_report(report, replace(options, json_=False), silent=options.json_)


def in_words(line: Calibration | None) -> str:
    """What the figures are worth."""
    blind = "Where SAM and the network err alike, nothing tells."
    if line is None:
        return (
            f"Which DSC that lets expect is calibrated for the tiny preset alone (docs/trust.md). {blind}"
        )
    held = f"{100 * line.coverage:.0f} % of the {line.volumes} volumes behind it"
    return f"The interval held for {held}, each left out in turn (docs/trust.md). {blind}"


def _table(entries: list[dict[str, Any]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title="Look at these first", title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    expected = ["expected DSC %", "interval"] if entries[0]["expected"] else []
    for heading in ("case", "split", "agreement", *expected, "ml"):
        table.add_column(
            heading, justify="left" if heading in ("case", "split") else "right", overflow="fold"
        )
    for entry in entries:
        one = entry["expected"]
        figures = [f"{one['dsc']:.0f}", f"{one['low']:.0f} to {one['high']:.0f}"] if one else []
        table.add_row(
            Text(entry["case"]),
            entry["split"],
            f"{entry['agreement']:.3f}",
            *figures,
            f"{entry['ml']:.1f}",
        )
    return table
