"""One image under two names: it would count twice, and could be learned from and tested on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.imaging.source import hash_if_readable
from clisc_engine.importing.casefiles import CaseFiles

_BLOCK = 1 << 16
_LEAVE_OUT = "Leave all but one of them out"


def find_doubles(cases: Iterable[CaseFiles]) -> list[tuple[str, ...]]:
    """Names of cases whose images are the same, byte for byte, and of the same channel.

    Only files that agree in size, beginning and end are read whole. A file that cannot be read is left to
    its import.
    """
    alike: dict[object, list[CaseFiles]] = {}
    for case in cases:
        if seen := _glance(case.image):
            alike.setdefault((seen, case.channel), []).append(case)
    found: list[tuple[str, ...]] = []
    for group in alike.values():
        if len(group) > 1:
            found += same_content({case.name: hash_if_readable(case.image) for case in group})
    return sorted(found)


def same_content(contents: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Groups of names that have the same content, empty ones apart; ``contents`` are hashes by name."""
    groups: dict[str, list[str]] = {}
    for name, content in contents.items():
        if content:
            groups.setdefault(content, []).append(name)
    return [tuple(sorted(names)) for names in groups.values() if len(names) > 1]


def check_doubles(
    doubles: Sequence[Sequence[str]], splits: Mapping[str, str], sources: Mapping[str, str]
) -> list[str]:
    """Warnings on images of several names.

    Args:
        doubles: names that share an image.
        splits: of all cases.
        sources: path of each case's image.

    Raises:
        BadInput: when the names are in different splits.
    """
    warnings = []
    for names in doubles:
        said = " and ".join(f"{name} ({sources[name]}, {splits[name]})" for name in names)
        if len({splits[name] for name in names}) > 1:
            raise BadInput(
                f"The same image has several names, in different splits: {said}. What is learned from "
                f"would also be measured. {_LEAVE_OUT}, or put them into one split with --split (a CSV "
                "with the columns case,split)."
            )
        warnings.append(f"The same image has several names: {said}; it counts as often. {_LEAVE_OUT}.")
    return warnings


def _glance(path: Path) -> object:
    """What two files of the same content share; None for one that cannot be read."""
    try:
        if path.is_dir():
            return tuple(sorted(file.stat().st_size for file in path.iterdir() if file.is_file()))
        with path.open("rb") as file:
            head = file.read(_BLOCK)
            file.seek(max(0, path.stat().st_size - _BLOCK))
            return path.stat().st_size, hashlib.sha256(head + file.read()).digest()
    except OSError:
        return None
