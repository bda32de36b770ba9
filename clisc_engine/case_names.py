"""What a case may be called: its name becomes part of paths, tables and commands."""

from __future__ import annotations

import re
import unicodedata

from clisc_engine.errors import BadInput

_ALLOWED = re.compile(r"[^\W_][\w.-]*")
_LONGEST = 200
"""Bytes; a file's name may have 255, and endings follow the case's name."""


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

    def __init__(self) -> None:
        """Nothing is taken yet."""
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
            raise BadInput(
                f"{self._taken[key]} and {where} have the same case name {name!r}; upper and lower "
                "case do not count."
            )
        self._taken[key] = where
        return name
