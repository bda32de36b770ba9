"""The measurements as a table in docs/performance.md, and their comparison with the committed ones."""

from __future__ import annotations

import json
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
        "| work | seconds a | ours | plain way | times faster (wanted) | times the floor (wanted) "
        "| peak GB |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        wanted = f" ({row.wanted:g})" if row.wanted else ""
        most = f" ({row.floor_wanted:g})" if row.floor_wanted else ""
        over = f"{row.over_floor:.2f}{most}" if row.over_floor else "-"
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


def stages(rows: Sequence[Row]) -> str:
    """Markdown tables of whole pipelines, and of where the time of each goes; empty without rows."""
    wholes = [row for row in rows if not row.group]
    if not wholes:
        return ""
    lines = ["| work | ours, s | plain way, s | times faster (wanted) |", "|---|---|---|---|"]
    for row in wholes:
        faster = f"{row.speedup:.2f}" + (f" ({row.wanted:g})" if row.wanted else "")
        lines.append(f"| {row.work} | {row.seconds:.0f} | {row.plain:.0f} | {faster} |")
    lines += ["", *(f"- {row.work}: {row.note}." for row in wholes if row.note)]
    for group in dict.fromkeys(row.group for row in rows if row.group):
        parts = [row for row in rows if row.group == group]
        total, plain = sum(row.seconds for row in parts), sum(row.plain for row in parts)
        lines += ["", f"| {group} | ours, s | share | plain way, s | share | times faster |"]
        lines.append("|---|---|---|---|---|---|")
        lines += [
            f"| {row.work.partition(': ')[2]} | {row.seconds:.1f} | {100 * row.seconds / total:.0f} % "
            f"| {row.plain:.1f} | {100 * row.plain / plain:.0f} % | {row.speedup:.2f} |"
            for row in parts
        ]
    return "\n".join(lines)


def rewrite(rows: Sequence[Row], memories: Sequence[Memory], whole: Sequence[Row], about: str) -> None:
    """Put the tables of what was measured into docs/performance.md; the others stay."""
    page = PAGE.read_text(encoding="utf-8")
    if rows:
        page = _with_block(page, "measured", "end", f"{about}\n\n{table(rows, memories)}")
    if whole:
        page = _with_block(page, "pipeline", "end of pipeline", f"{about}\n\n{stages(whole)}")
    PAGE.write_text(page, encoding="utf-8")


def _with_block(page: str, start: str, end: str, text: str) -> str:
    """The page with another text between two comments."""
    block = f"<!-- {start} -->\n{text}\n<!-- {end} -->"
    return re.sub(f"<!-- {start} -->.*<!-- {end} -->", lambda _: block, page, flags=re.S)


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


def save_baseline(rows: Sequence[Row]) -> None:
    """Commit to the ratios of what was measured; those of other work stay."""
    kept = json.loads(BASELINE.read_text(encoding="utf-8"))
    kept["speedup"] |= {row.work: round(row.speedup, 2) for row in rows}
    kept["over_floor"] |= {row.work: round(row.over_floor, 2) for row in rows if row.over_floor}
    BASELINE.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
