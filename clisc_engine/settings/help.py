"""What a setting means and which values it takes, told from its declaration."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import Any

from clisc_engine.errors import BadInput
from clisc_engine.settings.keys import known_keys, suggestion, value_of
from clisc_engine.settings.presets import PRESETS, preset
from clisc_engine.settings.schema import Settings


@dataclass(frozen=True)
class Explanation:
    """One setting.

    Attributes:
        key: dotted.
        meaning: in a line, with the paper's or the released code's value where there is one.
        allowed: type and range in words.
        section: what the key's table is for.
        presets: its value in each preset.
    """

    key: str
    meaning: str
    allowed: str
    section: str
    presets: dict[str, Any]


def explain(key: str) -> Explanation:
    """All about one setting.

    Raises:
        BadInput: when there is no such setting; the nearest one is named.
    """
    if key not in known_keys():
        raise BadInput(f"There is no setting {key!r}{suggestion(key)}; `clisc config show` lists them.")
    table, _, name = key.rpartition(".")
    section, definitions = _table(table), _schema()["$defs"]
    field = section["properties"][name]
    return Explanation(
        key,
        field.get("description", ""),
        in_words(_followed(field, definitions)),
        section.get("description", "") if table else "",
        {name: value_of(preset(name), key) for name in PRESETS},
    )


def named_by(word: str) -> list[str]:
    """The keys that a word names: one in full, all of a section, or those that end with it.

    Raises:
        BadInput: when there is none; the nearest one is named.
    """
    keys = known_keys()
    if word in keys:
        return [word]
    found = [key for key in keys if key.startswith(f"{word}.")]
    found = found or [key for key in keys if key.endswith(f".{word}")]
    if not found:
        raise BadInput(f"There is no setting {word!r}{suggestion(word)}; `clisc config show` lists them.")
    return found


def the_key(word: str) -> str:
    """The one key that a word names.

    Raises:
        BadInput: when it names none, or several.
    """
    found = named_by(word)
    if len(found) > 1:
        raise BadInput(f"{word!r} names {len(found)} settings: {', '.join(found)}; give one of them.")
    return found[0]


def purpose_of(section: str) -> str:
    """What a section such as ``amda`` or ``baselines.if3d`` is for; empty when it is none."""
    keys = known_keys()
    if section in keys or not any(key.startswith(f"{section}.") for key in keys):
        return ""
    return " ".join(_table(section).get("description", "").split())


def sections() -> list[str]:
    """The sections, also those within others, in the order of clisc.toml."""
    above = [key.split(".")[:-1] for key in known_keys()]
    found = {".".join(parts[: depth + 1]): None for parts in above for depth in range(len(parts))}
    return list(found)


def choices(key: str) -> list[str]:
    """The values that a setting's declaration names, as they are typed after ``KEY=``: not its numbers.

    None of ``weights``, which says whose models the other settings take and chooses none by itself.

    Raises:
        BadInput: when there is no such setting.
    """
    explain(key)
    if key == "weights":
        return []
    table, _, name = key.rpartition(".")
    return _named_values(_followed(_table(table)["properties"][name], _schema()["$defs"]))


def _named_values(schema: dict[str, Any]) -> list[str]:
    if schema.get("type") == "boolean":
        return ["true", "false"]
    if "anyOf" in schema:
        return [value for choice in schema["anyOf"] for value in _named_values(choice)]
    if "items" in schema:
        return [json.dumps([value]) for value in _named_values(schema["items"])]
    return [str(value) for value in schema.get("enum", [schema["const"]] if "const" in schema else [])]


def in_words(schema: dict[str, Any]) -> str:
    """Type and range of a JSON schema, e.g. ``a number from 0 to under 100``."""
    if "enum" in schema:
        return "one of " + ", ".join(json.dumps(value) for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "anyOf" in schema:
        return ", or ".join(in_words(choice) for choice in schema["anyOf"])
    kind = schema.get("type")
    if kind == "array":
        return f"a list{_length(schema)}, each {in_words(schema['items'])}"
    if kind == "boolean":
        return "true or false"
    if kind == "string":
        return "text" if schema.get("minLength") else "text, or empty"
    return f"{'a whole number' if kind == 'integer' else 'a number'}{_range(schema)}"


def _range(schema: dict[str, Any]) -> str:
    words = {
        "minimum": "from",
        "exclusiveMinimum": "above",
        "maximum": "to",
        "exclusiveMaximum": "to under",
    }
    limits = "".join(f" {word} {_plain(schema[key])}" for key, word in words.items() if key in schema)
    multiple = f" in steps of {schema['multipleOf']}" if "multipleOf" in schema else ""
    return limits + multiple


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _length(schema: dict[str, Any]) -> str:
    least, most = schema.get("minItems"), schema.get("maxItems")
    if least is not None and least == most:
        return f" of {least}"
    return f" of at least {least}" if least else ""


def _followed(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return {**definitions[reference.rsplit("/", 1)[-1]], **schema} if reference else schema


def _table(table: str) -> dict[str, Any]:
    """The schema of a table such as ``baselines.if3d``; empty names the whole."""
    found = _schema()
    for name in table.split(".") if table else ():
        found = _followed(found["properties"][name], _schema()["$defs"])
    return found


@functools.cache
def _schema() -> dict[str, Any]:
    return Settings.model_json_schema()
