"""The report's charts: plain numbers in, inline SVG out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clisc_engine.core.labelling import NORMAL, TUMOUR
from clisc_engine.files.words import counted
from clisc_engine.report.svg import Chart, number


@dataclass(frozen=True)
class SweptPoint:
    """A point of a sweep.

    Attributes:
        value: of the setting.
        words: the same in words.
        mean: over cases and seeds; None without a case.
        deviation: the standard deviation over the same.
        count: of cases and seeds.
        seeds: the means of the seeds, where there are several.
    """

    value: Any
    words: str
    mean: float | None
    deviation: float
    count: int
    seeds: Mapping[int, float]


BINS = 20
"""Bars of a histogram, about."""
MOST_LABELS_IN_A_LINE = 6


def probability_chart(
    name: str, probability: Sequence[float], labels: Sequence[int], first: int = 0
) -> str:
    """CLIP's tumour probability of each slice as bars along z, in three kinds by the smoothed label.

    Args:
        name: of the case.
        probability: (Z,) in [0, 1].
        labels: (Z,) 0 normal, 1 tumour, 255 uncertain.
        first: the source's axial slice of the first bar.
    """
    tumour = sum(label == TUMOUR for label in labels)
    words = (
        f"CLIP's tumour probability along z of {name}: {tumour} of {len(labels)} slices are labelled tumour"
    )
    last = first + len(labels) - 1
    chart = Chart(words, (first - 0.5, last + 0.5), (0, 1))
    chart.axes("slice", "tumour probability", _whole_ticks(first, last))
    base = chart.up(0)
    for kind, wanted in (("normal", NORMAL), ("uncertain", None), ("tumour", TUMOUR)):
        bars = "".join(
            f"M{chart.across(z - 0.45)} {base}V{chart.up(value)}H{chart.across(z + 0.45)}V{base}Z"
            for z, (value, label) in enumerate(zip(probability, labels, strict=True), first)
            if label == wanted or (wanted is None and label not in (TUMOUR, NORMAL))
        )
        if bars:
            chart.add("path", f"bar {kind}", d=bars)
    return chart.markup()


def curve_chart(name: str, quantity: str, values: Sequence[float]) -> str:
    """One quantity of a training over its epochs, the first of which is 1."""
    first, last = number(values[0]), number(values[-1])
    words = f"{quantity} of {name} over {len(values)} epochs: {first} at first, {last} at last"
    chart = Chart(words, (1, max(len(values), 2)), _padded(values))
    chart.axes("epoch", quantity, _whole_ticks(1, max(len(values), 2)))
    places = [(chart.across(epoch), chart.up(value)) for epoch, value in enumerate(values, 1)]
    chart.add("polyline", "curve", points=" ".join(f"{x},{y}" for x, y in places))
    chart.add(
        "circle",
        "end",
        f"epoch {len(values)}: {number(values[-1])}",
        cx=places[-1][0],
        cy=places[-1][1],
        r=3,
    )
    return chart.markup()


def similarity_chart(kept: Sequence[float], dropped: Sequence[float]) -> str:
    """Histogram of S3F's similarities with the cut between the volumes dropped and those kept."""
    everything = np.array([*kept, *dropped], float)
    cut = min(kept)
    width = max(1 - everything.min(), 0.05) / BINS
    below, above = np.ceil((cut - everything.min()) / width), max(np.ceil((1 - cut) / width), 1)
    edges = cut + width * np.arange(-below, above + 1)  # the cut itself is one of them
    low, high = float(edges[0]), float(edges[-1])
    lost, held = (np.histogram(np.clip(part, low, high), edges)[0] for part in (dropped, kept))
    words = f"S3F similarities of {len(everything)} volumes; {len(dropped)} under {cut:.3f} were dropped"
    highest = max(int((lost + held).max()), 1)
    chart = Chart(words, (low, high), (0, highest))
    chart.axes("similarity of SAM and network (Dice)", "volumes", up_ticks=_whole_ticks(0, highest))
    for index, (bad, good) in enumerate(zip(lost.tolist(), held.tolist(), strict=True)):
        left, right = chart.across(edges[index]) + 0.7, chart.across(edges[index + 1]) - 0.7
        span = f"{edges[index]:.2f} to {edges[index + 1]:.2f}"
        for kind, start, count in (("dropped", 0, bad), ("kept", bad, good)):
            if count:
                top, bottom = chart.up(start + count), chart.up(start)
                hint = f"{span}: {count} {kind}"
                chart.add(
                    "rect", f"bar {kind}", hint, x=left, y=top, width=right - left, height=bottom - top
                )
    if dropped:
        chart.add("line", "cut", x1=chart.across(cut), x2=chart.across(cut), y1=chart.up(0), y2=8)
    return chart.markup()


def box_chart(description: str, quantity: str, groups: Mapping[str, Mapping[str, float]]) -> str:
    """Box plots of a percentage: quartiles, whiskers to the farthest case within 1.5 boxes, every case.

    Args:
        description: what is shown.
        quantity: name of the vertical axis, 0 to 100.
        groups: values by case, by group; empty groups are left out.
    """
    filled = {name: values for name, values in groups.items() if values}
    chart = Chart(description, (-0.5, len(filled) - 0.5), (0, 100))
    counts = {len(values) for values in filled.values()}
    crowded, alike = len(filled) > MOST_LABELS_IN_A_LINE, len(counts) == 1
    each = next(iter(counts), 0)
    chart.axes(f"{counted(each, 'case')} each" if alike else "", quantity, [])
    half = min(0.28, 0.06 * max(len(filled), 1))
    for place, (name, values) in enumerate(filled.items()):
        _box(chart, place, half, list(values.values()))
        for case, value in values.items():
            hint = f"{case}: {value:.1f} %"
            chart.add("circle", "case", hint, cx=chart.across(place), cy=chart.up(value), r=2.2)
        line = 14 + 10 * (crowded and place % 2)
        chart.text(name, "tick", chart.across(place), chart.up(0) + line)
        if not alike:
            chart.text(f"n = {len(values)}", "tick faint", chart.across(place), chart.up(0) + 13 + line)
    return chart.markup()


def sweep_chart(description: str, key: str, quantity: str, points: Sequence[SweptPoint]) -> str:
    """Means over the values of a setting, joined by a line, with bars of one standard deviation each way.

    Args:
        description: what is shown.
        key: the setting, the horizontal axis. Values that are no numbers stand side by side.
        quantity: name of the vertical axis.
        points: in the order asked; one without a mean is left out.
    """
    placed, on_scale = _placed(points)
    across = [x for x, _ in placed]
    margin = 0.06 * ((across[-1] - across[0]) or 1) if across else 1.0
    edges = (across[0] - margin, across[-1] + margin) if across else (0.0, 1.0)
    tops = [(point.mean or 0) + point.deviation for _, point in placed]
    chart = Chart(description, edges, _padded(tops or [1.0]))
    chart.axes(key, quantity, across if on_scale and len(across) <= MOST_LABELS_IN_A_LINE else [])
    if on_scale and len(placed) > 1:
        line = (f"{chart.across(x)},{chart.up(point.mean or 0)}" for x, point in placed)
        chart.add("polyline", "curve", points=" ".join(line))
    for x, point in placed:
        _draw_swept(chart, key, chart.across(x), point)
        if not on_scale:
            chart.text(point.words, "tick", chart.across(x), chart.up(chart.y[0]) + 14)
    return chart.markup()


def _placed(points: Sequence[SweptPoint]) -> tuple[list[tuple[float, SweptPoint]], bool]:
    """Places along the axis, ascending, of the points with a mean; and whether these are their values."""
    shown = [point for point in points if point.mean is not None]
    on_scale = all(isinstance(p.value, int | float) and not isinstance(p.value, bool) for p in shown)
    across = [float(point.value) if on_scale else float(place) for place, point in enumerate(shown)]
    return sorted(zip(across, shown, strict=True), key=lambda pair: pair[0]), on_scale


def _draw_swept(chart: Chart, key: str, x: float, point: SweptPoint) -> None:
    """A point's mean with its deviation, and its seeds; ``x`` is its place in the frame."""
    mean = point.mean or 0
    low, high = max(mean - point.deviation, chart.y[0]), mean + point.deviation
    hint = f"{key} = {point.words}: {mean:.2f} ± {point.deviation:.2f}, n = {point.count}"
    chart.add("line", "whisker", hint, x1=x, x2=x, y1=chart.up(low), y2=chart.up(high))
    for seed, value in point.seeds.items():
        chart.add("circle", "case", f"seed {seed}: {value:.2f}", cx=x, cy=chart.up(value), r=2.2)
    chart.add("circle", "end", hint, cx=x, cy=chart.up(mean), r=3.5)


def _box(chart: Chart, place: int, half: float, values: Sequence[float]) -> None:
    low, middle, high = np.percentile(values, [25, 50, 75])
    reach = 1.5 * (high - low)
    inside = [value for value in values if low - reach <= value <= high + reach]
    left, right, centre = chart.across(place - half), chart.across(place + half), chart.across(place)
    # Quartiles lie between cases, and beyond one of them there may be outliers alone: no whisker then.
    for start, end in ((high, max(high, *inside)), (low, min(low, *inside))):
        chart.add("line", "whisker", x1=centre, x2=centre, y1=chart.up(start), y2=chart.up(end))
    height = chart.up(low) - chart.up(high)
    chart.add(
        "rect", "box", x=left, y=chart.up(high), width=round(right - left, 2), height=round(height, 2)
    )
    hint = f"median {middle:.1f} %, quartiles {low:.1f} and {high:.1f} %"
    chart.add("line", "median", hint, x1=left, x2=right, y1=chart.up(middle), y2=chart.up(middle))


def _padded(values: Sequence[float]) -> tuple[float, float]:
    """From 0 or a little under the least value to a little over the greatest."""
    low, high = min(values), max(values)
    return min(0.0, low), high * 1.05 if high > 0 else 1.0


def _whole_ticks(first: int, last: int) -> list[float]:
    """Whole numbers from first to last, seven at most."""
    step = max(1, -(-(last - first) // 6))
    nice = next(s for s in (1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 10**6) if s >= step)
    begin = -(-first // nice) * nice
    inner = [float(v) for v in range(begin, last + 1, nice) if v > first and 2 * (v - first) >= nice]
    return [float(first), *inner]
