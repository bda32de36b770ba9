"""What ITK says, in words."""

from __future__ import annotations


def reason(error: Exception) -> str:
    """The last line of ITK's message, which says what went wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rsplit("ERROR:", 1)[-1].strip().rstrip(".") if lines else "unknown reason"
