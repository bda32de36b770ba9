"""How the state of a step or an array is shown, and why it is so."""

from __future__ import annotations

from collections.abc import Mapping

from clisc_cli.console import print_line

COLOURS = {"running": "cyan", "fresh": "green", "stale": "yellow", "partly": "yellow", "missing": "red"}

REASONS_BESIDE = 110
"""Columns from which a terminal has room for the reasons in the table of steps."""


def show_reasons(whys: Mapping[str, str]) -> None:
    """A line for each reason, for terminals that have no room beside the table."""
    for name, why in whys.items():
        if why:
            print_line(f"{name}: {why}")
