"""What the headers of NRRD and MetaImage leave open, which ITK takes for granted without a word."""

from __future__ import annotations

import re
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.imaging.endings import ending_of
from clisc_engine.imaging.headers import first_bytes

_SIDES = re.compile(
    r"(left-posterior-superior|right-anterior-superior|left-anterior-superior|lps|ras|las)(-?t|-time)?"
)
"""NRRD's spaces that tell left from right, and that ITK knows."""

_NRRD_MM = ("mm", "millimeter", "millimeters", "millimetre", "millimetres", "")
_QUOTED = re.compile(r'"([^"]*)"')


def told_of_header(path: Path) -> tuple[str, ...]:
    """What is to be said of an NRRD or MetaImage whose header does not say how it lies in the head.

    Raises:
        BadInput: when it says no spacing, or one that is not in mm.
    """
    nrrd = ending_of(path).lower() in (".nrrd", ".nhdr")
    fields = _fields(path, ":" if nrrd else "=")
    spaced = ("space directions", "spacings") if nrrd else ("elementspacing", "elementsize")
    if not any(re.search(r"\d", fields.get(name, "")) for name in spaced):
        raise BadInput(
            f"{path} has no spacing in its header, so how large it is is not known; export it again."
        )
    units = _QUOTED.findall(fields.get("space units", "")) if nrrd else []
    if other := [unit for unit in units if unit.strip().lower() not in _NRRD_MM]:
        raise BadInput(
            f"{path} counts in {other[0]} and not in mm, says its header; export it again in mm."
        )
    if nrrd:
        space = fields.get("space", "").lower()
        if _SIDES.fullmatch(space) and "space directions" in fields:
            return ()
        why = f"its space is {space}" if space else "it names no space"
    else:
        if {"transformmatrix", "rotation", "orientation"} & set(fields):
            return ()
        why = "it has no TransformMatrix"
    return (
        f"{path} does not say how it lies in the head ({why}): its axes were taken to run to the left, the "
        "back and up, as ITK does.",
    )


def _fields(path: Path, separator: str) -> dict[str, str]:
    """The lines of the header by their name in small letters, up to the voxels."""
    found: dict[str, str] = {}
    for line in first_bytes(path).decode("latin-1").splitlines():
        name, there, value = line.partition(separator)
        if separator == ":" and not line.strip():
            break
        if there:
            found.setdefault(name.strip().lower(), value.lstrip("=").strip())
        if name.strip().lower() == "elementdatafile":
            break
    return found
