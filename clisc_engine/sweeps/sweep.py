"""What a sweep is: settings with their values, the row that is measured, and the seeds."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clisc_engine.errors import BadInput
from clisc_engine.products.dependence import MEASURED as ROWS
from clisc_engine.products.dependence import (
    START,
    changed_by,
    is_measured_by,
    is_used_at_import,
    row_is_changed_by,
)
from clisc_engine.products.graph import PRODUCTS, TABLES, ancestors
from clisc_engine.settings.keys import known_keys, suggestion, value_of, with_changes
from clisc_engine.settings.schema import Settings

SEED = "seed"
LONGEST_NAME = 60
"""Letters of a value in a folder's name."""


@dataclass(frozen=True)
class Axis:
    """A setting and the values that it takes, as the settings hold them."""

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Sweep:
    """A sweep.

    Attributes:
        axes: the settings; every value of one is combined with every value of the others.
        row: of Table 1 or 2, whose masks are measured.
        splits: whose cases are measured.
        seeds: each point is made with all of these, and measured over them; empty for the project's own.
    """

    axes: tuple[Axis, ...]
    row: str
    splits: tuple[str, ...] = ("test",)
    seeds: tuple[int, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The settings swept, without the seed that ``seeds`` changes."""
        return tuple(axis.key for axis in self.axes)

    @property
    def name(self) -> str:
        """What it is called, e.g. ``amda.t@cam-amda``: neither its values nor its seeds are part of it."""
        elsewhere = "" if self.splits == ("test",) else f"@{'+'.join(self.splits)}"
        return f"{'+'.join(self.keys)}@{self.row}{elsewhere}"

    @property
    def levels(self) -> tuple[Axis, ...]:
        """All axes in the order in which the row comes to depend on them, the seed among them.

        What depends on the first alone is made once for each of its values, and so on: so nothing that two
        points have in common is made twice.
        """
        axes = (*self.axes, *((Axis(SEED, self.seeds),) if self.seeds else ()))
        return tuple(sorted(axes, key=lambda axis: _first_changed(axis.key, self.row)))

    def points(self) -> list[dict[str, Any]]:
        """Every combination of values by key, the seed too if there are several, in the order asked."""
        axes = (*self.axes, *((Axis(SEED, self.seeds),) if self.seeds else ()))
        combined = itertools.product(*(axis.values for axis in axes))
        return [dict(zip((axis.key for axis in axes), values, strict=True)) for values in combined]


def sweep_of(
    settings: Settings, words: Sequence[str], row: str, splits: Sequence[str], seeds: int | None
) -> Sweep:
    """A sweep as the command line names it, checked as a whole.

    Args:
        settings: the project's.
        words: ``KEY=V1,V2,...`` for each setting.
        row: of Table 1 or 2.
        splits: whose cases are measured.
        seeds: how many seeds, from the project's on; None for its own alone.

    Raises:
        BadInput: when a setting is unknown, named twice, takes a value that it may not have, or changes
            nothing that the row rests on.
    """
    axes: list[Axis] = []
    for word in words:
        key, _, text = word.partition("=")
        if key in {axis.key for axis in axes}:
            raise BadInput(f"sweep: {key} is named twice; give all its values at once.")
        axes.append(Axis(key.strip(), _values(settings, key.strip(), text)))
    if seeds is not None and SEED in {axis.key for axis in axes}:
        raise BadInput("sweep: seed is swept already; leave --seeds out.")
    chosen = tuple(range(settings.seed, settings.seed + seeds)) if seeds and seeds > 1 else ()
    sweep = Sweep(tuple(axes), row, tuple(splits), chosen)
    for point in sweep.points():
        with_changes(settings, point, "sweep")
    for key in (*sweep.keys, *((SEED,) if chosen else ())):
        _check_dependence(settings, sweep, key)
    return sweep


def goes_on(settings: Settings, sweep: Sweep) -> bool:
    """Whether at any point the second network goes on from the first one's weights."""
    starts = [axis.values for axis in sweep.axes if axis.key == START]
    return "round1" in (starts[0] if starts else [settings.s3f.start])


def folder_name(changes: Mapping[str, Any]) -> str:
    """The name of the variant with these changes, e.g. ``amda.t=10``, fit for a folder's."""
    return "+".join(f"{key}={_short(value)}" for key, value in changes.items())


def in_words(values: Mapping[str, Any]) -> str:
    """Values by key for people, e.g. ``amda.t=10, seed=1``."""
    return ", ".join(f"{key}={plain(value)}" for key, value in values.items())


def plain(value: Any) -> str:
    """A value as it is typed: ``10``, ``0.5``, ``otsu``, ``["layer2"]``."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(value: Any) -> str:
    text = plain(value)
    fit = re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip("-")[:LONGEST_NAME]
    return fit if fit == text else f"{fit}-{hashlib.sha256(text.encode()).hexdigest()[:8]}".lstrip("-")


def _values(settings: Settings, key: str, text: str) -> tuple[Any, ...]:
    """The values of a key in the form that the settings hold, each once."""
    if key not in known_keys():
        raise BadInput(f"sweep: unknown setting {key!r}{suggestion(key)}.")
    found: list[Any] = []
    for part in _parts(text):
        changed = with_changes(settings, {key: _parsed(part)}, "sweep")
        if (value := value_of(changed, key)) not in found:
            found.append(value)
    if not found:
        raise BadInput(
            f"sweep: {key} has no value; give some, e.g. {key}={plain(value_of(settings, key))}."
        )
    return tuple(found)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _parts(text: str) -> list[str]:
    """The text cut at commas, but for those within brackets or quotes."""
    parts, depth, quoted = [""], 0, False
    for letter in text:
        quoted ^= letter == '"'
        depth += 0 if quoted else (letter in "[{") - (letter in "]}")
        if letter == "," and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def _first_changed(key: str, row: str) -> int:
    """Place of the first product behind the row that the setting changes; the last, if none is."""
    behind = {*ancestors(ROWS[row]), ROWS[row]} & changed_by(key)
    return next((place for place, name in enumerate(PRODUCTS) if name in behind), len(PRODUCTS))


def _check_dependence(settings: Settings, sweep: Sweep, key: str) -> None:
    going_on = goes_on(settings, sweep)
    if is_used_at_import(key):
        raise BadInput(
            f"sweep: {key} is used when images are imported, so its values need projects of their own: "
            "`clisc init` with --set."
        )
    if row_is_changed_by(sweep.row, key, going_on=going_on):
        return
    others = [row for row in ROWS if row_is_changed_by(row, key, going_on=going_on)]
    hint = f"; it changes {', '.join(others)}" if others else "; no row does"
    raise BadInput(
        f"sweep: row {sweep.row} does not depend on {key} at these settings, so all its values would give "
        f"the same{hint}."
    )


def sections_behind(row: str) -> tuple[str, ...]:
    """The settings and sections that the row rests on, and by which it is measured."""
    names = [*ancestors(ROWS[row]), ROWS[row]]
    found = {setting for name in names for setting in PRODUCTS[name].settings}
    measured = [name for name in TABLES["results/evaluation.json"].settings if is_measured_by(row, name)]
    return tuple(sorted({*found, *measured}))
