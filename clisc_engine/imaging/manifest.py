"""A CSV table that names each case's files, and if wanted its split."""

from __future__ import annotations

import csv
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.imaging.casefiles import SAFE, CaseFiles

REQUIRED = {"case", "image"}
DELIMITERS = ",;\t"


def read_manifest(path: Path) -> list[CaseFiles]:
    """The cases of a table ``case,image[,reference][,split]``; paths are relative to its folder.

    Columns may stand in any order, in any case, between commas, semicolons or tabs.

    Raises:
        BadInput: naming the file and the line, for anything that cannot be used.
    """
    cases: dict[str, CaseFiles] = {}
    for number, row in enumerate(_rows(path), start=2):
        name, image = row["case"], row["image"]
        if not SAFE.fullmatch(name) or name.lower() in cases or not image:
            raise BadInput(f"{path}, line {number}: case {name!r} is unsafe, twice, or has no image.")
        reference = row.get("reference")
        cases[name.lower()] = CaseFiles(
            name,
            path.parent / image,
            path.parent / reference if reference else None,
            split=row.get("split") or None,
        )
    return sorted(cases.values(), key=lambda case: case.name)


def _rows(path: Path) -> list[dict[str, str]]:
    """The table's rows with lower-case column names and stripped values."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"Cannot read the manifest {path}: {error}.") from None
    lines = text.splitlines()
    header = lines[0] if lines else ""
    delimiter = max(DELIMITERS, key=header.count)
    try:
        rows = list(csv.DictReader(lines, skipinitialspace=True, delimiter=delimiter))
    except csv.Error as error:
        raise BadInput(f"{path} is not a CSV table: {error}.") from None
    read = [
        {key.strip().lower(): (value or "").strip() for key, value in row.items() if isinstance(key, str)}
        for row in rows
    ]
    if not read or not set(read[0]) >= REQUIRED:
        raise BadInput(f"{path} is not a CSV table with the columns case,image[,reference][,split].")
    return read
