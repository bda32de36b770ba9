"""CSV tables: read with errors that name file and line, written so that spreadsheets run nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.store import write_atomically

DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Row:
    """A row and the line of the file on which it ends, counted from 1."""

    line: int
    values: Mapping[str, str]


def read_table(path: Path, required: Sequence[str], columns: str) -> list[Row]:
    """The rows of a table, without the spaces around values and names; blank lines are left out.

    Names of columns may be in any case; commas, semicolons (as spreadsheets in much of Europe write
    them) or tabs part the values, whichever the first line has most of.

    Args:
        path: CSV with a line of column names, UTF-8.
        required: columns that must be there; any others may.
        columns: the columns in words, for the message, e.g. ``case,split``.

    Raises:
        BadInput: naming the file and, where there is one, the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise BadInput(f"Cannot read the table {path}: {error}.") from None
    delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, delimiter=delimiter)
    rows: list[Row] = []
    try:
        head = [name.strip().lower() for name in next(reader, [])]
        if not set(required) <= set(head) or len(set(head)) < len(head):
            raise BadInput(f"{path} is not a CSV table with the columns {columns}, each of them once.")
        for cells in reader:
            if len(cells) > len(head):
                raise BadInput(
                    f"{path}, line {reader.line_num}: {len(cells)} values for {len(head)} columns."
                )
            if cells:
                values = dict(zip(head, [cell.strip() for cell in cells], strict=False))
                rows.append(Row(reader.line_num, {name: values.get(name, "") for name in head}))
    except csv.Error as error:
        raise BadInput(f"{path}, line {reader.line_num}, is not a CSV table: {error}.") from None
    if not rows:
        raise BadInput(f"{path} has no row below its columns {columns}.")
    return rows


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a table; it appears whole or not at all.

    Raises:
        DiskFault: when the disk does not take it.
    """
    write_atomically(path, table_bytes(columns, rows))


def table_bytes(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> bytes:
    """A table as the bytes of its file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: cell(value) for name, value in row.items()})
    return text.getvalue().encode("utf-8", errors="replace")


def cell(value: object) -> object:
    """A value for a table; text that a spreadsheet would take for a formula gets a leading quote."""
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n")  # readers would end the row at a bare return
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\n")) else text
