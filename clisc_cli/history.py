"""``clisc evaluate --history``: the evaluations of a project, the newest first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from clisc_cli.console import print_json, print_line, result_console
from clisc_cli.named import open_named
from clisc_cli.options import RunOptions
from clisc_cli.words import counted, time_in_words

if TYPE_CHECKING:
    from clisc_engine.stages.evaluation.history import Past


def show_history(directory: Path | None, given: Mapping[str, bool], options: RunOptions) -> None:
    """List the evaluations; options that would measure are refused.

    Args:
        directory: of the project.
        given: options of `evaluate` alone, and whether they were given.
        options: the shared ones.

    Raises:
        BadParameter: naming the first option that does not go with a list.
    """
    shared = {
        "--cases": bool(options.cases),
        "--set": bool(options.assignments),
        "--seed": options.seed is not None,
        "--force": options.force,
    }
    if wrong := [name for name, is_given in {**given, **shared}.items() if is_given]:
        raise typer.BadParameter("lists what was measured; leave it out", param_hint=f"{wrong[0]}")
    from clisc_engine.stages.evaluation.history import past

    project = open_named(directory, options.variant)
    found = [_plain(one, one.differing(project.settings)) for one in past(project)]
    if options.json_:
        print_json({"evaluations": found})
        return
    console = result_console()
    for one in found:
        print_line(_line(one))
        if figures := ", ".join(_figure(row) for row in one["rows"]):
            print_line(f"  {figures}")
    if not found:
        console.print("No evaluations yet.", markup=False)


def _plain(one: Past, differing: Mapping[str, tuple[Any, Any]] | None) -> dict[str, Any]:
    document = one.document
    changed = {key: {"then": then, "now": now} for key, (then, now) in (differing or {}).items()}
    return {
        "fingerprint": one.fingerprint,
        "time": one.time,
        "version": document.get("version", ""),
        "weights": document["weights"],
        "current": one.current,
        "splits": document["splits"],
        "cases": len({entry["case"] for entry in document["cases"]}),
        "settings": None if differing is None else changed,
        "rows": [
            {
                key: row[key]
                for key in ("name", "dsc_mean", "dsc_std", "hd95_mean", "hd95_std", "n", "empty")
            }
            for row in document["rows"]
        ],
    }


def _line(one: Mapping[str, Any]) -> str:
    from clisc_engine.sweeps.sweep import plain

    when = time_in_words(one["time"]) or "at an unknown time"
    changed = one["settings"]
    if changed is None:
        words = "; its settings are not known"
    else:
        told = ", ".join(f"{key} {plain(v['then'])} (now {plain(v['now'])})" for key, v in changed.items())
        words = f"; {told}" if told else ""
    now = ", the one of now" if one["current"] else ""
    return f"{one['fingerprint']}  {when}, {counted(one['cases'], 'case')}{now}{words}"


def _figure(row: Mapping[str, Any]) -> str:
    return f"{row['name']} {row['dsc_mean']:.2f}" if row["dsc_mean"] is not None else f"{row['name']} -"
