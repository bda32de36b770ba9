"""Settings by dotted key, such as ``amda.t``: read, changed, compared and checked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from clisc_engine.errors import BadInput
from clisc_engine.settings.schema import Settings


def validate(values: Mapping[str, Any], where: str) -> Settings:
    """Settings from nested plain values.

    Raises:
        BadInput: naming each key, its value and what is allowed.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise BadInput(f"{where}: {'; '.join(_explain(e) for e in error.errors())}.") from None


def with_changes(settings: Settings, changes: Mapping[str, Any], where: str) -> Settings:
    """A copy with dotted keys changed, e.g. ``{"amda.t": 10}``; validated as a whole."""
    values = settings.model_dump()
    for key, value in changes.items():
        *path, last = key.split(".")
        table: dict[str, Any] = values
        for part in path:
            inner = table.get(part)
            table = inner if isinstance(inner, dict) else {}
        if last not in table or isinstance(table[last], dict):
            raise BadInput(f"{where}: unknown setting {key!r}{suggestion(key)}.")
        table[last] = value
    changed = validate(values, where)
    if "weights" in changes and changed.weights != changed.made_with:
        raise BadInput(_names_alone(changed, where))
    return changed


def _names_alone(settings: Settings, where: str) -> str:
    """That the models stay what they are, though ``weights`` would name others beside every result."""
    taken = ", ".join(settings.bundled)
    are = f"those of {taken} are bundled ones" if taken else "no setting takes a bundled one"
    return (
        f"{where}: weights = {settings.weights!r} would name other models than there are: {are}. "
        f"`clisc init --weights {settings.weights}` makes another project with the others; here, set "
        f"{'these' if taken else 'label.model, sam.model and so on'} as well."
    )


def parse_assignment(text: str) -> tuple[str, Any]:
    """``KEY=VALUE`` with a JSON value, or else plain text.

    Raises:
        BadInput: when there is no ``=`` or no key, or it is no text that a file can hold.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadInput(f"--set {text!r} is not UTF-8.") from None
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise BadInput(f"--set {text!r} is not KEY=VALUE, e.g. --set amda.t=10.")
    try:
        return key.strip(), json.loads(value)
    except (ValueError, RecursionError):  # also numbers that are too long, and lists nested too deep
        return key.strip(), value.strip()


def value_of(settings: Settings, key: str) -> Any:
    """The value of a dotted key."""
    value: Any = settings
    for part in key.split("."):
        value = getattr(value, part)
    return value


def differences(settings: Settings, other: Settings) -> dict[str, tuple[Any, Any]]:
    """The keys whose values differ, with both values."""
    pairs = {key: (value_of(settings, key), value_of(other, key)) for key in known_keys()}
    return {key: (one, two) for key, (one, two) in pairs.items() if one != two}


def known_keys() -> list[str]:
    """Every dotted key, in the order of clisc.toml."""
    return list(_keys(Settings().model_dump()))


def _keys(table: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _keys(value, f"{above}{name}.")
        else:
            yield f"{above}{name}"


def decoded(made_from: Mapping[str, str]) -> dict[str, Any]:
    """What something was made from, with the settings among it as values rather than as their JSON."""
    known = {*known_keys()}
    return {key: _decoded(text) if key in known else text for key, text in made_from.items()}


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def suggestion(key: str) -> str:
    """A known key that is close to a wrong one, as the end of a sentence; or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(key, known_keys(), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}" if close else ""


def _explain(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"] if part not in _UNION_TAGS)
    if error["type"] == "extra_forbidden":
        return f"unknown setting {key!r}{suggestion(key)} (a newer clisc may have it)"
    own = error["type"] == "value_error"
    said = str(error["ctx"]["error"]) if own else error["msg"].lower()  # pydantic puts words before ours
    if own and isinstance(error["input"], Mapping):  # of a table as a whole
        return f"{key or 'settings'}: {said}"
    return f"{key or 'settings'} = {error['input']!r}: {said}{_as_a_list(error)}"


def _as_a_list(error: Any) -> str:
    """How the list is written for which a text stands; a shell takes quotes away that are not quoted."""
    text = error["input"]
    if error["type"] != "list_type" or not text or not isinstance(text, str):
        return ""
    if not (text.startswith("[") and text.endswith("]")):
        return f", such as {json.dumps([text])}"
    parts = [part.strip() for part in text[1:-1].split(",")]
    return f", such as '{json.dumps(parts, ensure_ascii=False)}', with both kinds of quotes in a shell"


_UNION_TAGS = frozenset(
    {
        "literal['otsu','sam']",
        "literal['normal','agree','otsu']",
        "constrained-float",
        "constrained-str",
        "str",
        "list[constrained-str]",
        "list[str]",
    }
)
