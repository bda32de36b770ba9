"""A CSV table that names each case's files, and if wanted its split."""

from __future__ import annotations

from pathlib import Path

from clisc_engine.case_names import Names
from clisc_engine.errors import BadInput
from clisc_engine.imaging.casefiles import CaseFiles
from clisc_engine.tables import read_table

REQUIRED = ("case", "image")
COLUMNS = "case,image[,reference][,split]"


def read_manifest(path: Path) -> list[CaseFiles]:
    """The cases of a table ``case,image[,reference][,split]``; paths are relative to its folder.

    Raises:
        BadInput: naming the file and the line, for anything that cannot be used.
    """
    names = Names()
    cases: list[CaseFiles] = []
    for row in read_table(path, REQUIRED, COLUMNS):
        where = f"{path}, line {row.line}"
        name = names.take(row.values["case"], where)
        image, reference = row.values["image"], row.values.get("reference", "")
        if not image or "\0" in image + reference:
            raise BadInput(f"{where}: case {name!r} has no image.")
        cases.append(
            CaseFiles(
                name,
                path.parent / image,
                path.parent / reference if reference else None,
                split=row.values.get("split") or None,
            )
        )
    return sorted(cases, key=lambda case: case.name)
