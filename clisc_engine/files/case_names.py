"""What a case may be called: its name becomes part of paths, tables and commands."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TypeVar

from clisc_engine.errors import BadInput

_ALLOWED = re.compile(r"[^\W_][\w.-]*")
_LONGEST = 200
"""Bytes; a file's name may have 255, and endings follow the case's name."""

_APART = "upper and lower case do not count"

Thing = TypeVar("Thing")


def normal(name: str) -> str:
    """The name with each accented letter as one character (NFC), without spaces around it."""
    return unicodedata.normalize("NFC", name.strip())


def is_case_name(name: str) -> bool:
    """Whether a normal name is safe: letters and digits of any script, dots, dashes and underscores.

    It starts with a letter or digit, so it is no hidden file, option or formula, and leads nowhere.
    """
    return (
        bool(_ALLOWED.fullmatch(name))
        and name == normal(name)
        and len(name.encode("utf-8", errors="replace")) <= _LONGEST
    )


def meant(name: str, there: Iterable[str]) -> str:
    """E.g. ``; did you mean 'patient-007'``, the one of the names that is most like it; else empty."""
    close = get_close_matches(normal(name), list(there), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}" if close else ""


def why_no_case_name(name: str, where: str) -> str:
    """Empty when the normal form of a name is safe, else the reason in a sentence.

    ``where`` is e.g. the file and the line.
    """
    name = normal(name)
    if is_case_name(name):
        return ""
    return (
        f"{where}: {name!r} cannot be a case name; use letters, digits, '.', '_' and '-', "
        f"starting with a letter or digit, and {_LONGEST} bytes at most."
    )


class Names:
    """The case names met so far; no two differ by case alone, which some file systems do not see."""

    def __init__(self, way_out: str = "") -> None:
        """Nothing is taken yet; ``way_out`` is a sentence for those of one name."""
        self._way_out = way_out
        self._taken: dict[str, str] = {}

    def take(self, name: str, where: str) -> str:
        """The normal form of a new case's name.

        Args:
            name: as it was found.
            where: e.g. the file and the line, for messages.

        Raises:
            BadInput: when it is not safe, or taken.
        """
        name = normal(name)
        if why := why_no_case_name(name, where):
            raise BadInput(why)
        key = normal(name.casefold())
        if key in self._taken:
            places = f"{self._taken[key]} and {where}"
            raise BadInput(f"{places} have the same case name {name!r}; {_APART}. {self._way_out}".strip())
        self._taken[key] = where
        return name


def sift(
    found: Iterable[tuple[str, str, Thing]], way_out: str = "", renaming: str = ""
) -> tuple[dict[str, Thing], dict[str, str]]:
    """The things by case name, and by name the reasons why others cannot have theirs.

    Of several with one name none is taken, since nobody can tell which of them is meant.

    Args:
        found: the name as it was found, where (for messages), and what has it.
        way_out: a sentence for those of one name.
        renaming: one for those whose name no case can have.
    """
    taken: dict[str, list[tuple[str, str, Thing]]] = {}
    bad: dict[str, str] = {}
    for name, where, thing in found:
        if why := why_no_case_name(name, where):
            bad[name if name not in bad else where] = f"{why} {renaming}".strip()
        else:
            safe = normal(name)
            taken.setdefault(normal(safe.casefold()), []).append((safe, where, thing))
    for same in taken.values():
        if len(same) > 1:
            places = " and ".join(where for _, where, _ in same)
            bad[same[0][0]] = (
                f"{places} have the same case name {same[-1][0]!r}; {_APART}. {way_out}".strip()
            )
    return {same[0][0]: same[0][2] for same in taken.values() if len(same) == 1}, bad
