"""Tables that Table 1 and Table 2 have in common."""

from __future__ import annotations

from typing import Any

from clisc_cli.columns import add_figures, add_words
from clisc_cli.words import counted


def groups_table(document: dict[str, Any], heading: str, titles: dict[str, str]) -> Any:
    """Mean DSC by tumour size, one column a group; ``titles`` by row, under ``heading``."""
    from rich.table import Table

    from clisc_engine.core.metrics import SIZE_GROUPS
    from clisc_engine.stages.evaluation.told import counts_by_group

    counts = counts_by_group(document)
    groups = [group for group in SIZE_GROUPS if group in counts]
    means = {(e["name"], e["group"]): f"{e['dsc_mean']:.2f}" for e in document["groups"]}
    table = Table(title="Mean DSC % by tumour size (fifths of the measured volumes)")
    add_words(table, heading)
    add_figures(table, *(f"{group}\n{counts[group]}" for group in groups))
    for row, title in titles.items():
        table.add_row(title, *(means.get((row, group), "") for group in groups))
    return table


def table_of_cases(document: dict[str, Any], titles: dict[str, str]) -> Any:
    """One line a case: the volume of its tumour, and the DSC of each row; ``titles`` by row."""
    from rich.table import Table

    table = Table(title="DSC % of each case")
    add_words(table, "case", "size")
    add_figures(table, "tumour ml", *titles.values())
    by_case: dict[str, dict[str, dict[str, Any]]] = {}
    for entry in document["cases"]:
        by_case.setdefault(entry["case"], {})[entry["name"]] = entry
    for case, entries in by_case.items():
        first = next(iter(entries.values()))
        scores = [entries.get(row, {}).get("dsc") for row in titles]
        cells = ["" if score is None else f"{score:.2f}" for score in scores]
        table.add_row(case, first["group"], f"{first['volume_ml']:.1f}", *cells)
    return table


def without_tumour_table(found: dict[str, Any], heading: str, titles: dict[str, str]) -> Any:
    """The cases without tumour, which no other table counts: what each row marks in them.

    ``titles`` by row, under ``heading``.
    """
    from rich.table import Table

    names = ", ".join(found["cases"][:6]) + (" ..." if len(found["cases"]) > 6 else "")
    table = Table(title=f"{counted(len(found['cases']), 'case')} without tumour: {names}")
    add_words(table, heading)
    add_figures(table, "n", "false positives", "their mean ml")
    for row in found["rows"]:
        mean = "" if row["volume_ml_mean"] is None else f"{row['volume_ml_mean']:.2f}"
        table.add_row(titles[row["name"]], str(row["n"]), str(row["false_positives"]), mean)
    return table


def spread(mean: float | None, deviation: float | None, count: int | None = None) -> str:
    """A mean and its deviation in words; one case has no deviation, none has no mean.

    ``count`` is how many cases there are; without it, several.
    """
    if mean is None or deviation is None:
        return ""
    return f"{mean:.2f} ± {deviation:.2f}" if count != 1 else f"{mean:.2f}"
