"""How the state of a step or an array is shown, and why it is so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

COLOURS = {"running": "cyan", "fresh": "green", "stale": "yellow", "partly": "yellow", "missing": "red"}

REASONS_BESIDE = 110
"""Columns from which a terminal has room for the reasons in the table of steps."""


def show_reasons(console: Console, whys: Mapping[str, str]) -> None:
    """A line for each reason, for terminals that have no room beside the table."""
    for name, why in whys.items():
        if why:
            console.print(f"{name}: {why}", markup=False, soft_wrap=True)
