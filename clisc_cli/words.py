"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from clisc_engine.files.words import counted, seconds_in_words

__all__ = ["bytes_in_words", "counted", "seconds_in_words", "shortened", "time_in_words"]


def bytes_in_words(count: int) -> str:
    """E.g. ``3.2 GB``, in powers of 1000 as disks are sold."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def time_in_words(stamp: str) -> str:
    """A time in UTC as the local clock shows it, to the minute; empty stays empty."""
    return datetime.fromisoformat(stamp).astimezone().strftime("%d %b %H:%M") if stamp else ""


def by_value(words: Mapping[str, str]) -> dict[str, list[str]]:
    """The keys that have each value, e.g. the cases of each reason, in the order of the first of them."""
    found: dict[str, list[str]] = {}
    for key, value in words.items():
        found.setdefault(value, []).append(key)
    return found


def shortened(text: str, length: int = 90) -> str:
    """The text cut to a length, with an ellipsis where something is left out."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
