"""Whether a table that a project keeps is as clisc wrote it, where something else holds the same figures.

S3F and `trust` write theirs twice, as JSON for programs and as CSV: where the two differ, one was changed,
or S3F has compared anew since without a training. Of Table 1 the store has all.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clisc_engine.baselines.table1 import tables as table1_tables
from clisc_engine.errors import BadInput
from clisc_engine.files.reading import object_at, read_if_there
from clisc_engine.files.tables import read_table
from clisc_engine.products.graph import MADE_BY
from clisc_engine.products.kinds import S3F_TABLE, SIMILARITIES, TRUST, TRUST_TABLE
from clisc_engine.project.project import Project
from clisc_engine.results.explain.explained import changed_since

_PAIRS = {name: pair for pair in ((S3F_TABLE, SIMILARITIES), (TRUST_TABLE, TRUST)) for name in pair}
"""The two files of the same figures, by either: CSV and JSON."""


def notes_on_table1(path: Path, document: Mapping[str, Any]) -> list[str]:
    """What is to be said of a file of Table 1 that is not as the document in the store has it."""
    if path.suffix == ".json":
        same = object_at(path) == document
    else:
        now, then = read_if_there(path) or b"", table1_tables.files_of(document)[path.name]
        same = now == then or now.partition(b"\n")[0] != then.partition(b"\n")[0]  # of an earlier version
    return [] if same else [changed_since("`clisc evaluate --table1`")]


def notes_on_pair(project: Project, name: str) -> list[str]:
    """What is to be said of a file of S3F or of `trust` where its pair holds other figures."""
    if name not in _PAIRS:
        return []
    table, document = _PAIRS[name]
    try:
        figures = _in_table(project, table)
    except (BadInput, ValueError):
        return [changed_since(f"`clisc {MADE_BY[table]}`")] if name == table else []
    other = _in_document(project, document)
    if not figures or not other or sorted(figures) == sorted(other):
        return []
    pair = document if name == table else table
    return [
        f"Its figures are not those of {pair}, which `clisc {MADE_BY[table]}` writes with it: one of the "
        "two was changed or written anew since."
    ]


def _in_table(project: Project, table: str) -> list[tuple[str, ...]]:
    """The figures of each case as the CSV has them; names go with the cases that are renamed."""
    path = project.file(table)
    columns = ("case", "similarity") if table == S3F_TABLE else ("agreement", "volume_ml")
    rows = read_table(path, columns, ",".join(columns)) if path.is_file() else []
    return [tuple(row.values[column] for column in columns) for row in rows]


def _in_document(project: Project, document: str) -> list[tuple[str, ...]]:
    """The same figures in the JSON; nothing when it is not whole."""
    found = object_at(project.file(document)) or {}
    try:
        if document == SIMILARITIES:
            return [(name, f"{entry[-1]:.6f}") for name, entry in found.items()]
        return [(f"{entry['agreement']:.4f}", f"{entry['ml']:.2f}") for entry in found.values()]
    except (KeyError, IndexError, TypeError, ValueError):
        return []
