"""What all pages have in common: templates, style and script from the package, and their digests."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import re
import shlex
from collections.abc import Callable, Sequence
from datetime import datetime

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from clisc_engine.baselines.table1.paper import titled
from clisc_engine.files.words import ml_in_words, p_in_words, seconds_in_words


def commands_with(options: Sequence[str]) -> Callable[[str], str]:
    """How a command without ``clisc`` is told by a page, which names no folder: with these options."""
    return lambda command: shlex.join(["clisc", *command.split(), *options])


def environment(options: Sequence[str] = ()) -> Environment:
    """The templates, with `commands_with` these options.

    All that comes from a project is escaped by them, or by the charts' own XML.
    """
    pasted = commands_with(options)
    made = Environment(
        loader=PackageLoader("clisc_engine.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "coded": _coded,
        "command": lambda command: _coded(f"`{pasted(command)}`"),
        "duration": seconds_in_words,
        "ml": ml_in_words,
        "moment": _moment,
        "p_value": p_in_words,
        "padded": _padded,
        "titled": titled,
    }
    return made


def resource(name: str) -> str:
    """The text of a file beside the templates."""
    return (importlib.resources.files("clisc_engine.report") / "templates" / name).read_text(
        encoding="utf-8"
    )


def hash_of(text: str) -> str:
    """The text's digest as a content security policy takes it: nothing else in the page may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _coded(text: str) -> Markup:
    """Text in which what stands between backticks is code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _moment(stamp: str) -> str:
    """A time to the minute; what is no time stays as it is."""
    try:
        return datetime.fromisoformat(stamp).strftime("%d %b %Y, %H:%M")
    except ValueError:
        return stamp


def _padded(value: float) -> str:
    """A number that stands under others: as wide as one of two digits, without leading zeros."""
    return f"{value:5.2f}".replace(" ", "\N{FIGURE SPACE}")
