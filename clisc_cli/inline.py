"""A picture inside the terminal, for the terminals that say that they can show one."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Literal

Protocol = Literal["iterm2", "kitty", ""]

KITTY_CHUNK = 4096
"""Characters of a picture in one sequence of the kitty protocol, at most."""

KONSOLE_WITH_PICTURES = 220400
"""Konsole's number of the first version that shows pictures, 22.04."""


def protocol(environment: Mapping[str, str]) -> Protocol:
    """How the terminal of these environment variables takes pictures; empty when it is not known to.

    Within tmux and screen, which do not hand pictures on by themselves, it is empty too.
    """
    program, kind = environment.get("TERM_PROGRAM", ""), environment.get("TERM", "")
    if "TMUX" in environment or kind.startswith(("screen", "tmux")):
        return ""
    if "KITTY_WINDOW_ID" in environment or kind in {"xterm-kitty", "xterm-ghostty"}:
        return "kitty"
    if program in {"iTerm.app", "WezTerm"} or environment.get("LC_TERMINAL") == "iTerm2":
        return "iterm2"
    konsole = environment.get("KONSOLE_VERSION", "")
    if konsole.isdecimal() and int(konsole) >= KONSOLE_WITH_PICTURES:
        return "iterm2"
    return ""


def sequence(png: bytes, how: Protocol, columns: int) -> str:
    """What makes a terminal show a PNG as wide as ``columns`` cells; empty for no protocol."""
    text = base64.b64encode(png).decode()
    if how == "iterm2":
        about = f"inline=1;size={len(png)};width={columns};preserveAspectRatio=1"
        return f"\x1b]1337;File={about}:{text}\x07\n"
    if how == "kitty":
        return _kitty(text, columns) + "\n"
    return ""


def _kitty(text: str, columns: int) -> str:
    """Chunks of the picture; ``m=1`` says that more follow, ``q=2`` asks for no answer on stdin."""
    chunks = [text[start : start + KITTY_CHUNK] for start in range(0, len(text), KITTY_CHUNK)]
    parts: list[str] = []
    for index, chunk in enumerate(chunks):
        more = f"m={int(index < len(chunks) - 1)}"
        keys = f"a=T,f=100,q=2,c={columns},{more}" if index == 0 else more
        parts.append(f"\x1b_G{keys};{chunk}\x1b\\")
    return "".join(parts)
