"""The cases of a project as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from clisc_engine.upkeep.case_list import Listed


def case_table(found: Sequence[Listed]) -> Table:
    """A line a case: its grid, the volume of its best mask, and the DSC of the rows that have one."""
    from rich.table import Table
    from rich.text import Text

    rows = [row for row in ("full", "without-self-training", "sam") if any(row in one.dsc for one in found)]
    expected = ["expected DSC %"] if any(one.expected is not None for one in found) else []
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in (
        "case",
        "split",
        "voxels",
        "mm",
        "ml",
        "of",
        *expected,
        *(f"DSC % {row}" for row in rows),
        "source",
    ):
        numbers = heading == "ml" or "DSC" in heading
        table.add_column(heading, overflow="fold", justify="right" if numbers else "left")
    for one in found:
        if one.problem:
            table.add_row(
                one.name,
                Text("left out", style="yellow"),
                *[""] * (4 + len(expected) + len(rows)),
                one.problem,
            )
            continue
        was = f" (imported as {one.imported_as})" if one.imported_as else ""
        table.add_row(
            Text(one.name),
            one.split,
            " x ".join(map(str, one.voxels)),
            " x ".join(f"{mm:.3g}" for mm in one.spacing),
            "" if one.ml is None else f"{one.ml:.1f}",
            one.mask.removeprefix("masks/"),
            *(["" if one.expected is None else f"{one.expected:.0f}"] if expected else []),
            *(f"{one.dsc[row]:.1f}" if row in one.dsc else "" for row in rows),
            Text(one.source + was),
        )
    return table
