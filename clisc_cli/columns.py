"""Columns of tables in the terminal: where it is too narrow, cells are folded and none is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def add_words(table: Table, *headings: str) -> None:
    """Add columns of words, at the left of their cells."""
    for heading in headings:
        table.add_column(heading, overflow="fold")


def add_figures(table: Table, *headings: str) -> None:
    """Add columns of figures, at the right of their cells."""
    for heading in headings:
        table.add_column(heading, justify="right", overflow="fold")
