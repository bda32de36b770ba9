"""Headers without voxels, MetaImage's and NRRD's: the files beside them that have the voxels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

HEADERS = (".mhd", ".mha", ".nhdr", ".nrrd")
"""Endings of files that may name others for their voxels."""

_MOST = 1 << 20
"""Bytes of a file in which its header ends."""

_MOST_FILES = 100_000
_META = re.compile(r"^ElementDataFile[ \t]*=[ \t]*(?P<named>[^\r\n]*)\r?\n?", re.MULTILINE | re.IGNORECASE)
_NRRD = re.compile(r"^data ?file:[ \t]*(?P<named>[^\r\n]*)\r?\n?", re.MULTILINE | re.IGNORECASE)


def voxel_files(path: Path) -> list[Path]:
    """The files that a header names for its voxels, in its order; none where they are in the file itself.

    Raises:
        OSError: when the file cannot be read.
    """
    if not path.name.lower().endswith(HEADERS):
        return []
    with path.open("rb") as file:
        text = file.read(_MOST).decode("utf-8", errors="surrogateescape")
    meta = path.name.lower().endswith((".mhd", ".mha"))
    if not meta:
        text = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]
    found = (_META if meta else _NRRD).search(text)
    if found is None:
        return []
    names = _names(found["named"].strip(), text[found.end() :].splitlines())
    return [path.parent / name for name in names if "\0" not in name]


def _names(named: str, below: Sequence[str]) -> list[str]:
    """What is written behind the field, or in the lines below it, or counted by a pattern such as %03d."""
    first, *rest = named.split() or [""]
    if first.upper() == "LOCAL":
        return []
    if first.upper() == "LIST" or first.upper().startswith("LIST:"):
        return [line.strip() for line in below if line.strip()]
    if "%" in named and len(rest) >= 3:
        try:
            start, end, step = (int(number) for number in rest[:3])
            return [first % number for number in range(start, end + 1, step)][:_MOST_FILES]
        except (ValueError, TypeError):
            return [named]
    return [named] if named else []
