"""CSV tables: read with errors that name file and line, written so that spreadsheets run nothing."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from clisc_engine.errors import BadInput
from clisc_engine.files.atomic import write_atomically

DELIMITERS = ",;\t"

_SEP = re.compile(r"\"?sep=(?P<sep>[^\r\n])\"?[ \t,;]*(?:\r\n|\r|\n)", re.IGNORECASE)
"""A first line by which spreadsheets are told the delimiter."""

_ALSO = {
    "case": ("id", "case_id", "caseid", "subject", "subject_id", "patient", "patient_id", "name"),
    "image": ("path", "file", "filename", "flair", "scan", "volume", "nifti"),
    "reference": ("mask", "masks", "seg", "segmentation"),
    "split": ("set", "subset", "part", "fold"),
}
"""What people call the columns."""


@dataclass(frozen=True)
class Row:
    """A row and the line of the file on which it ends, counted from 1."""

    line: int
    values: Mapping[str, str]


def read_table(path: Path, required: Sequence[str], columns: str) -> list[Row]:
    """The rows of a table, without the spaces around values and names; blank lines are left out.

    Names of columns may be in any case. Commas, semicolons (as spreadsheets in much of Europe write
    them) or tabs part the values, whichever the first line has most of, or what its ``sep=`` says. Lines
    end as they do anywhere, and columns without a name must be empty.

    Args:
        path: CSV with a line of column names, as `read_text` reads it.
        required: columns that must be there; any others may.
        columns: the columns in words, for the message, e.g. ``case,split[,note]``.

    Raises:
        BadInput: naming the file and, where there is one, the line.
    """
    text, delimiter, before = _without_sep(read_text(path))
    delimiter = delimiter or max(DELIMITERS, key=_first_line(text).count)
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, delimiter=delimiter)
    rows: list[Row] = []
    head: list[str] = []
    try:
        for found in reader:
            line, cells = before + reader.line_num, _without_empty_end(found)
            if not head:
                head = [name.lower() for name in cells]
                if head:
                    _check_head(path, head, required, columns)
            elif len(cells) > len(head):
                raise BadInput(f"{path}, line {line}: {len(cells)} values for {len(head)} columns.")
            elif cells:
                values = dict(zip(head, cells, strict=False))
                rows.append(Row(line, {name: values.get(name, "") for name in head}))
    except csv.Error as error:
        raise BadInput(f"{path}, line {before + reader.line_num}, is not a CSV table: {error}.") from None
    if not head:
        _check_head(path, head, required, columns)
    if not rows:
        raise BadInput(f"{path} has no row below its columns {columns}.")
    return rows


def read_text(path: Path) -> str:
    """The text of a file in UTF-8 or in UTF-16, as spreadsheets write it.

    Raises:
        BadInput: naming the file, and the line where it is neither.
    """
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise BadInput(f"Cannot read the table {path}: {error}.") from None
    if data.startswith(b"PK\x03\x04"):
        raise BadInput(f"Cannot read the table {path}: it is a spreadsheet; save it as CSV in UTF-8.")
    encoding = _encoding(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadInput(
            f"Cannot read the table {path}: line {line} is not {encoding.removesuffix('-sig').upper()}; "
            "save it as 'CSV UTF-8', or turn it with `iconv -f WINDOWS-1252 -t UTF-8`."
        ) from None


def _encoding(data: bytes) -> str:
    """UTF-16 by its mark, or by the zero in every letter of the first column's name; else UTF-8."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    first = [byte != 0 for byte in data[:4]]
    if first == [True, False, True, False]:
        return "utf-16-le"
    return "utf-16-be" if first == [False, True, False, True] else "utf-8-sig"


def _without_sep(text: str) -> tuple[str, str, int]:
    """The table below a line such as ``sep=;``, the delimiter that it names, and how many lines it took."""
    found = _SEP.match(text)
    return (text[found.end() :], found["sep"], 1) if found else (text, "", 0)


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), "")


def _without_empty_end(cells: Sequence[str]) -> list[str]:
    """The values without spaces around them, and without the empty ones at the end."""
    kept = [cell.strip() for cell in cells]
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _check_head(path: Path, head: Sequence[str], required: Sequence[str], columns: str) -> None:
    """Refuse a first line that lacks a column, has one twice, or nearly has one that is known."""
    lacking = [name for name in re.findall(r"\w+", columns) if name not in head]
    meant = {name: found for name in lacking if (found := _alike(name, head, required, columns))}
    if not set(required) <= set(head) or len(set(head)) < len(head):
        hints = "".join(f" Did you mean {name!r} by {found!r}?" for name, found in meant.items())
        raise BadInput(f"{path} is not a CSV table with the columns {columns}, each of them once.{hints}")
    for name, found in meant.items():
        raise BadInput(
            f"{path} has a column {found!r} and none {name!r}; did you mean {name!r}? Its columns are "
            f"{columns}; rename it, or take it out."
        )


def _alike(name: str, head: Sequence[str], required: Sequence[str], columns: str) -> str:
    """The column of no known name that may be meant by a known one; or nothing.

    What else a column may be called counts only where it must be there: a table may have others too.
    """
    unknown = [one for one in head if one not in re.findall(r"\w+", columns)]
    also = _ALSO.get(name, ()) if name in required or name == "reference" else ()
    said = [one for one in unknown if one in also]
    return next(iter(said or get_close_matches(name, unknown, n=1, cutoff=0.8)), "")


def rounded(row: Mapping[str, Any], form: str = ".4f") -> dict[str, Any]:
    """A line of a table with its fractions in this form; whatever else is in it stays."""
    return {key: format(value, form) if isinstance(value, float) else value for key, value in row.items()}


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
