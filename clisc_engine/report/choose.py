"""How a report ranks cases, and which it shows: worst, middling and best ones, and what was remarkable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from clisc_engine.core.metrics import SIZE_GROUPS
from clisc_engine.products.declared import ROWS

Thing = TypeVar("Thing")

_NEAREST_FIRST = ("full", "without-self-training", "sam", "cam-amda", "cam-raw", *ROWS)
"""Rows of Table 2, the method's result first, then what comes nearest to it."""


@dataclass(frozen=True)
class Ranking:
    """Cases from worst to best.

    Attributes:
        quantity: what ranks them, e.g. ``DSC``; empty when nothing does.
        values: by case, worst first.
        decimals: that a value is worth.
        unit: behind a value.
    """

    quantity: str
    values: Mapping[str, float]
    decimals: int = 1
    unit: str = ""

    def in_words(self, name: str) -> str:
        """E.g. ``DSC 79.3 %``; empty for a case that is not ranked."""
        if name not in self.values:
            return ""
        return f"{self.quantity} {self.values[name]:.{self.decimals}f}{self.unit}"


def final_row(rows: Iterable[Mapping[str, Any]]) -> str:
    """The name of the row nearest to the method's result among these; empty without any."""
    names = {row["name"] for row in rows}
    return next((name for name in _NEAREST_FIRST if name in names), "")


def ranking_of(
    evaluation: dict[str, Any] | None, expected: dict[str, float], similarities: dict[str, float]
) -> Ranking:
    """Cases by DSC where they were measured, else by that to expect, else by S3F's similarity, or not."""
    if evaluation:
        row = final_row(evaluation["rows"])
        values = {
            entry["case"]: float(entry["dsc"])
            for entry in evaluation["cases"]
            if entry["name"] == row and entry["dsc"] is not None
        }
        return Ranking("DSC", _ascending(values), unit=" %")
    if expected:
        return Ranking("expected DSC", _ascending(expected), unit=" %")
    if similarities:
        return Ranking("S3F similarity", _ascending(similarities), decimals=3)
    return Ranking("", {})


def _ascending(values: dict[str, float]) -> dict[str, float]:
    return dict(sorted(values.items(), key=lambda item: (item[1], item[0])))


def evenly(ranked: Sequence[Thing], count: int) -> list[Thing]:
    """At most ``count`` of the ranked, evenly spread from end to end; one alone is the middle one."""
    last = len(ranked) - 1
    if count >= len(ranked):
        return list(ranked)
    if count < 2:
        return [ranked[last // 2]] if count else []
    places = (index * last // (count - 1) for index in range(count))
    return [ranked[place] for place in dict.fromkeys(places)]


def first_of(count: int, *lists: Iterable[str]) -> list[str]:
    """The first ``count`` of several lists one after another, each name once."""
    return list(dict.fromkeys(name for names in lists for name in names))[:count]


def place_in_words(name: str, ranking: Ranking) -> str:
    """E.g. ``worst``, ``median``, ``best``, or ``3 of 20``; empty for a case that is not ranked."""
    ranked = list(ranking.values)
    if name not in ranking.values or len(ranked) < 2:
        return ""
    place, last = ranked.index(name), len(ranked) - 1
    words = {0: "worst", last // 2: "median", last: "best"}
    return words.get(place, f"{place + 1} of {len(ranked)} from the worst")


def one_of_each_size(document: Mapping[str, Any]) -> dict[str, str]:
    """By size group the case whose tumour is the middle one; of two, the smaller."""
    found: dict[str, str] = {}
    for group in SIZE_GROUPS:
        volumes = {e["case"]: e["volume_ml"] for e in document["cases"] if e["group"] == group}
        if volumes:
            order = sorted(volumes, key=lambda name: (volumes[name], name))
            found[group] = order[(len(order) - 1) // 2]
    return found
