"""The answers as JSON Schema 2020-12, derived from their types; descriptions are the types' docstrings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter

from clisc_cli.answer import SCHEMA
from clisc_cli.answers.registry import ANSWERS, Error

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ERROR = "an error"
"""Stands beside the commands; no command is called so."""


def schema_of(command: str) -> dict[str, Any]:
    """The schema of what one command answers, e.g. ``export masks``."""
    answers, definitions = _derived([command])
    return {
        **_head(f"{SCHEMA}/{command.replace(' ', '-')}", f"clisc {command} --json"),
        "anyOf": [answers[command], {"required": ["error"]}],
        "$defs": definitions,
    }


def schema_of_all() -> dict[str, Any]:
    """The schema of what any command answers; ``$defs`` has each command's answer under its words."""
    answers, definitions = _derived(ANSWERS)
    names = {command: f"clisc {command}" for command in ANSWERS}
    return {
        **_head(SCHEMA, "clisc COMMAND --json"),
        "anyOf": [
            *({"$ref": f"#/$defs/{name.replace(' ', '%20')}"} for name in names.values()),
            {"required": ["error"]},
        ],
        "$defs": {**definitions, **{names[command]: answers[command] for command in ANSWERS}},
    }


def _head(name: str, title: str) -> dict[str, Any]:
    """What every answer has, and every document of a schema."""
    return {
        "$schema": DIALECT,
        "$id": f"urn:{name.replace('/', ':')}",
        "title": title,
        "type": "object",
        "required": ["schema"],
        "properties": {
            "schema": {"const": SCHEMA, "description": "Version of all answers."},
            "error": {"$ref": "#/$defs/Error"},
        },
    }


def _derived(commands: Iterable[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer of each command, and the definitions that they refer to."""
    adapters = {command: TypeAdapter(ANSWERS[command]) for command in commands}
    inputs = [(name, "serialization", adapter) for name, adapter in adapters.items()]
    inputs.append((ERROR, "serialization", TypeAdapter(Error)))
    schemas, further = TypeAdapter.json_schemas(inputs)  # type: ignore[arg-type]
    definitions: dict[str, Any] = further["$defs"]
    for definition in definitions.values():
        _describe(definition)
    return {name: schemas[name, "serialization"] for name in adapters}, definitions


def _describe(definition: dict[str, Any]) -> None:
    """Give each attribute its line of the docstring.

    Further keys may come within a version. What has a default in code is never left out of an answer.
    """
    definition.pop("additionalProperties", None)
    definition.pop("title", None)
    for name, field in definition.get("properties", {}).items():
        field.pop("title", None)
        if "default" in field:
            del field["default"]
            definition.setdefault("required", []).append(name)
    text, _, attributes = definition.get("description", "").partition("\n\nAttributes:\n")
    if text:
        definition["description"] = " ".join(text.split())
    for name, told in re.findall(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", attributes, re.M):
        if (field := definition.get("properties", {}).get(name)) is not None:
            field.setdefault("description", " ".join(told.split()))
