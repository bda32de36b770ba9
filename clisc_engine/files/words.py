"""Numbers and lists as people read them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path


def seconds_in_words(seconds: float) -> str:
    """E.g. ``0.4 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def shell_word(path: Path | str) -> str:
    """A path in a command that is shown, so that it can be pasted into a shell, and is no option there."""
    return shlex.quote(f"./{path}" if str(path).startswith("-") else str(path))


def counted(number: int, unit: str) -> str:
    """E.g. ``1 case``, ``6 cases``."""
    return f"{number} {unit}{'' if number == 1 else 's'}"


def p_in_words(p: float) -> str:
    """A p-value, e.g. ``0.042``, ``< 0.001``."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def listed(names: Sequence[str], most: int) -> str:
    """The first names and how many more there are, e.g. ``a, b and 3 more``."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def ml_in_words(volume: float) -> str:
    """A volume in ml, e.g. ``34.2 ml``, ``0.04 ml``."""
    return f"{volume:.1f} ml" if volume >= 1 or volume == 0 else f"{volume:.2g} ml"
