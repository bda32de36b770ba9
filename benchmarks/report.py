"""The measurements as a table in docs/performance.md, and their comparison with the committed ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import Row
from benchmarks.memory import Memory

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BASELINE = Path(__file__).parent / "baseline.json"
TOLERANCE = 0.25
"""A ratio may fall by so much before it counts as lost: machines that others use are noisy."""
GROWTH = 1.05
"""Allowed peak memory over many cases, by that over few."""


def table(rows: Sequence[Row], memories: Sequence[Memory]) -> str:
    """Markdown tables of both kinds of measurement."""
    lines = [
        "| work | seconds a | ours | plain way | times faster (wanted) | times the floor | peak GB |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        wanted = f" ({row.wanted:g})" if row.wanted else ""
        over = f"{row.over_floor:.2f}" if row.over_floor else "-"
        peak = f"{row.peak_gb:.2f}" if row.peak_gb else "-"
        lines.append(
            f"| {row.work} | {row.unit} | {row.seconds:.3g} | {row.plain:.3g} | {row.speedup:.2f}{wanted} "
            f"| {over} | {peak} |"
        )
    notes = [f"- {row.work}: {row.note}." for row in rows if row.note]
    peaks = [
        f"| `{m.stage}` | {m.few:.3f} | {m.many:.3f} | {100 * (m.growth - 1):+.1f} % |" for m in memories
    ]
    head = ["| stage | peak GB, 4 cases | 32 cases | growth |", "|---|---|---|---|"]
    return "\n".join([*lines, "", *notes, "", *(head + peaks if peaks else [])]).strip()


def rewrite(rows: Sequence[Row], memories: Sequence[Memory], about: str) -> None:
    """Put the tables into docs/performance.md."""
    page = PAGE.read_text(encoding="utf-8")
    block = f"<!-- measured -->\n{about}\n\n{table(rows, memories)}\n<!-- end -->"
    PAGE.write_text(
        re.sub(r"<!-- measured -->.*<!-- end -->", lambda _: block, page, flags=re.S), encoding="utf-8"
    )


def lost(rows: Sequence[Row], memories: Sequence[Memory], baseline: Mapping[str, Any]) -> list[str]:
    """What became worse than in the committed measurements, or misses what is asked for."""
    found = []
    for row in rows:
        least = baseline["speedup"].get(row.work, 0.0) * (1 - TOLERANCE)
        if row.speedup < least:
            found.append(f"{row.work}: {row.speedup:.2f} times faster, at least {least:.2f} was expected")
        most = baseline["over_floor"].get(row.work, float("inf")) * (1 + TOLERANCE)
        if row.over_floor is not None and row.over_floor > most:
            found.append(
                f"{row.work}: {row.over_floor:.2f} times the floor, at most {most:.2f} was expected"
            )
    for memory in memories:
        if memory.growth > GROWTH:
            found.append(f"{memory.stage}: peak memory grows {memory.growth:.2f} times with the cases")
    return found


def baseline_of(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """The ratios to commit."""
    return {
        "speedup": {row.work: round(row.speedup, 2) for row in rows},
        "over_floor": {row.work: round(row.over_floor, 2) for row in rows if row.over_floor},
    }
