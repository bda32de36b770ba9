"""Sweeps as the report shows them: for each a plot of DSC, with bars over cases and seeds, and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from clisc_engine.report import charts, tables
from clisc_engine.report.charts import SweptPoint
from clisc_engine.sweeps.sweep import in_words, plain


@dataclass(frozen=True)
class ShownSweep:
    """A sweep on the page.

    Attributes:
        name: of it.
        row: what was measured, in words.
        splits: whose cases.
        seeds: how many.
        keys: the settings swept.
        charts: with what each stands for: one, or with two settings one for each value of the others.
        points: for the table: values in words, and the summary.
        why: what no longer holds of it; empty when all does.
    """

    name: str
    row: str
    splits: str
    seeds: int
    keys: list[str]
    charts: list[tuple[str, Markup]]
    points: list[tuple[list[str], dict[str, Any]]]
    why: str


def shown_sweeps(found: Sequence[tuple[Mapping[str, Any], str]]) -> list[ShownSweep]:
    """The sweeps of a project, from their results and from what no longer holds of each."""
    return [_shown(result, why) for result, why in found]


def _shown(result: Mapping[str, Any], why: str) -> ShownSweep:
    row = tables.ROW_TITLES.get(result["row"], result["row"])
    first, *others = result["keys"]
    groups: dict[str, list[dict[str, Any]]] = {}
    for point in result["points"]:
        groups.setdefault(in_words({key: point["values"][key] for key in others}), []).append(point)
    drawn = []
    for group, points in groups.items():
        words = f"DSC of {row} over {first}{f' at {group}' if group else ''}"
        swept = [_point(point, first) for point in points]
        drawn.append((group, Markup(charts.sweep_chart(words, first, "DSC %", swept))))
    return ShownSweep(
        name=result["sweep"],
        row=row,
        splits=", ".join(result["splits"]),
        seeds=len(result["seeds"]),
        keys=list(result["keys"]),
        charts=drawn,
        points=[([plain(value) for value in p["values"].values()], p) for p in result["points"]],
        why=why,
    )


def _point(point: Mapping[str, Any], key: str) -> SweptPoint:
    means = {one["seed"]: one["dsc_mean"] for one in point["seeds"] if one["dsc_mean"] is not None}
    value = point["values"][key]
    return SweptPoint(
        value=value,
        words=plain(value),
        mean=point["dsc_mean"],
        deviation=point["dsc_std"] or 0.0,
        count=point["n"],
        seeds=means if len(means) > 1 else {},
    )
