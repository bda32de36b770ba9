"""Lists that show themselves as tables, in a terminal and in Jupyter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, TypeVar

from clisc_engine.files.words import seconds_in_words
from clisc_engine.running.runner import Report
from clisc_engine.upkeep.status import StageStatus

Entry = TypeVar("Entry")


class Listing(list[Entry]):
    """A list whose ``repr`` is a table of text, and in Jupyter one of HTML."""

    columns: tuple[str, ...] = ()
    """The headings."""

    def cells(self, entry: Entry) -> Sequence[Any]:
        """What stands under the headings of one entry."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """The table in aligned columns."""
        return as_text(self.columns, map(self.cells, self))

    def _repr_html_(self) -> str:
        return as_html(self.columns, map(self.cells, self))


class Status(Listing[StageStatus]):
    """How far each step is."""

    columns = ("step", "state", "done", "why")

    def cells(self, entry: StageStatus) -> Sequence[Any]:
        """One step."""
        done, total = entry.cases
        return entry.stage, entry.state, f"{done} of {total}", entry.why


class Reports(Listing[Report]):
    """What each step did."""

    columns = ("step", "done", "up to date", "failed", "took")

    def cells(self, entry: Report) -> Sequence[Any]:
        """One step."""
        counts = [len(part) for part in (entry.done, entry.fresh, entry.failed)]
        return entry.stage, *counts, seconds_in_words(entry.seconds)


class Records(Listing[dict[str, Any]]):
    """Plain records with the same keys, in the place of a DataFrame."""

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]
        """The keys."""
        return tuple(self[0]) if self else ()

    def cells(self, entry: dict[str, Any]) -> Sequence[Any]:
        """One record."""
        return list(entry.values())


def as_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table in aligned columns."""
    lines = [list(columns), *([_word(value) for value in row] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_html(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table of HTML; all that it holds is escaped."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_word(value))}</td>" for value in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _word(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if isinstance(value, float) else str(value)
