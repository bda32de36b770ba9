"""A CSV table that names each case's files, and if wanted its split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.files.case_names import sift
from clisc_engine.files.tables import read_table
from clisc_engine.imaging.endings import ENDINGS
from clisc_engine.importing.casefiles import CaseFiles, case_name
from clisc_engine.outputs.record import OwnMasks

REQUIRED = ("case", "image")
COLUMNS = "case,image[,reference][,split]"


def read_manifest(path: Path) -> tuple[list[CaseFiles], dict[str, str]]:
    """The cases of a table ``case,image[,reference][,split]``; paths are relative to its folder.

    Returns:
        The cases by name, and the reasons why others cannot be taken.

    Raises:
        BadInput: naming the file and the line, when it is no such table.
    """
    found: list[tuple[str, str, CaseFiles]] = []
    bad: dict[str, str] = {}
    own = OwnMasks()
    for row in read_table(path, REQUIRED, COLUMNS):
        where, name = f"{path}, line {row.line}", row.values["case"]
        try:
            found.append((name, where, _case(path.parent, where, row.values, own)))
        except BadInput as error:
            bad[name if name not in bad else where] = str(error)
    taken, unusable = sift(found)
    cases = [replace(case, name=name) for name, case in taken.items()]
    return sorted(cases, key=lambda case: case.name), bad | unusable


def _case(folder: Path, where: str, values: Mapping[str, str], own: OwnMasks) -> CaseFiles:
    name, image, reference = values["case"], values["image"], values.get("reference", "")
    if not image or "\0" in image + reference:
        raise BadInput(f"{where}: case {name!r} has no image.")
    if name.lower().endswith(ENDINGS):
        raise BadInput(
            f"{where}: {name!r} is a file's name; did you mean the case {case_name(Path(name))!r}?"
        )
    mask = _file(folder, reference, where) if reference else None
    if mask is not None and own.has(mask):
        raise BadInput(
            f"{where}: the reference {mask} of case {name!r} is a mask that clisc made itself; a reference "
            "is drawn by somebody else. Name such a one, or leave the field empty."
        )
    return CaseFiles(
        name,
        _file(folder, image, where),
        mask,
        split=values.get("split") or None,
    )


def _file(folder: Path, written: str, where: str) -> Path:
    """The file meant; that it is there is for its reader to see, but for what is written amiss.

    Raises:
        BadInput: when it would be there if it were written otherwise.
    """
    path = folder / written
    if path.exists():
        return path
    if "\\" in written and (folder / written.replace("\\", "/")).exists():
        slashes = written.replace("\\", "/")
        raise BadInput(f"{where}: {path} does not exist; write the path with '/': {slashes}")
    if folder.resolve() != Path.cwd() and Path(written).exists():
        raise BadInput(
            f"{where}: {path} does not exist; paths are relative to the table's folder, and {written} is "
            "there seen from the current one. Write whole paths, or move the table."
        )
    return path
