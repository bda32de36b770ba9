"""Answers of `clisc config`."""

from __future__ import annotations

from typing import Any, NotRequired

from typing_extensions import TypedDict

from clisc_engine.settings.help import Explanation


class Difference(TypedDict):
    """A setting's value here, and in the other."""

    here: Any
    other: Any


class Differences(TypedDict):
    """The settings that differ, by key, and from what."""

    against: str
    settings: dict[str, Difference]


class Value(TypedDict):
    """A setting."""

    key: str
    value: Any


class SettingsChanged(TypedDict):
    """The settings that were changed, by key, and the steps that are stale for it."""

    changed: dict[str, Any]
    stale: list[str]


class ExplainedSettings(TypedDict):
    """A section of the settings, or those that a word names.

    Attributes:
        section: what the section is for; empty when the word is none.
        keys: each setting.
    """

    section: str
    keys: list[Explanation]


class ExplainedSetting(TypedDict):
    """A setting.

    Attributes:
        key: dotted.
        meaning: in a line.
        allowed: type and range in words.
        section: what the key's table is for.
        presets: its value in each preset.
        here: its value in the project, where there is one.
    """

    key: str
    meaning: str
    allowed: str
    section: str
    presets: dict[str, Any]
    here: NotRequired[Any]
