"""Two evaluations row by row: the settings that differ, and the differences of the same cases.

Nothing is measured here: both evaluations are read as they are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from clisc_engine.baselines.table1 import document as table1_document
from clisc_engine.baselines.table1.plan import why_stale
from clisc_engine.core.significance import ByCase, paired_tests
from clisc_engine.products.declared import ROWS
from clisc_engine.results.sides import Side
from clisc_engine.stages.evaluation.comparing import TINY_NOTE

METRICS = ("dsc", "hd95")
FEWEST = 6
"""Pairs below which the signed-rank test cannot reach p < 0.05."""
CHANCE_NOTE = (
    "The test is over cases, of one training each: it does not say how much another seed would change "
    "(`clisc sweep --seeds` does)"
)
SEED_NOTE = "Only the seed differs, so the differences are chance and say nothing of a setting"
FEW_NOTE = f"With fewer than {FEWEST} pairs the test cannot reach p < 0.05, whatever the difference"


def compare(a: Side, b: Side) -> dict[str, Any]:
    """What differs between two sides, as plain values.

    Cases pair by the name that they were imported under, so a renamed one is still the same. A case whose
    reference differs in volume pairs with none.

    Returns:
        ``sides``, a's first; ``settings`` that differ, each with a's value and b's (None: not known);
        ``cases``: those of ``both``, of one alone, and those with another reference; ``rows``: of each row
        that both have, by metric the means over the same cases, the mean difference b minus a, ``n``, the
        p-value of Wilcoxon's signed-rank test and that after Holm's correction over the rows; those that
        measured the ``same`` masks are no comparison and are not tested (None); ``lacking``:
        rows of one side alone; ``pairs``: each case in each row; ``table1``: the same of Table 1, corrected
        over its own rows, None unless both sides have it; ``notes``. DSC in percent, HD95 in mm.
    """
    document = {
        "sides": [_plain(a), _plain(b)],
        "settings": settings_that_differ(a, b),
        **_compared(list(ROWS), a, b),
        "table1": _table1(a, b),
    }
    return {**document, "notes": _notes(document, a, b)}


def _compared(names: Sequence[str], a: Side, b: Side) -> dict[str, Any]:
    """The part of the document that is about cases and rows."""
    first, second = _by_case(a), _by_case(b)
    shared = [case for case in first if case in second]
    other = [case for case in shared if not _same_reference(first[case], second[case])]
    both = [case for case in shared if case not in other]
    rows = [row for row in names if _has(a, row) and _has(b, row)]
    pairs = [_pair(row, case, first[case], second[case]) for row in rows for case in both]
    pairs = [pair for pair in pairs if pair]
    return {
        "cases": {
            "both": both,
            "only_a": [case for case in first if case not in second],
            "only_b": [case for case in second if case not in first],
            "other_reference": other,
        },
        "rows": _rows(rows, pairs, a, b),
        "lacking": {
            "a": [row for row in names if _has(b, row) and not _has(a, row)],
            "b": [row for row in names if _has(a, row) and not _has(b, row)],
        },
        "pairs": pairs,
    }


def _table1(a: Side, b: Side) -> dict[str, Any] | None:
    """The rivals of both sides as they are now; no history is kept of them.

    CLISC is among them: its row here is of the cases that Table 1 was measured on.
    """
    found = [table1_document.load(side.project.store) if side.past.current else None for side in (a, b)]
    if found[0] is None or found[1] is None:
        return None
    one, other = (
        replace(side, past=side.past.with_document(table))
        for side, table in zip((a, b), (found[0], found[1]), strict=True)
    )
    titles = {row["name"]: row["title"] for table in (found[0], found[1]) for row in table["rows"]}
    return {
        **_compared(list(titles), one, other),
        "titles": titles,
        "outdated": {"a": why_stale(a.project), "b": why_stale(b.project)},
    }


def settings_that_differ(a: Side, b: Side) -> dict[str, dict[str, Any]] | None:
    """Each with its value on both sides; None when one side's are not known."""
    if a.settings is None or b.settings is None:
        return None
    keys = [key for key in a.settings if key in b.settings]
    return {
        key: {"a": a.settings[key], "b": b.settings[key]}
        for key in keys
        if a.settings[key] != b.settings[key]
    }


def _by_case(side: Side) -> dict[str, dict[str, Mapping[str, Any]]]:
    """The entries of each case by row, under the name that the case was imported under."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    names = side.known_as
    for entry in side.past.document["cases"]:
        found.setdefault(names.get(entry["case"], entry["case"]), {})[entry["name"]] = entry
    return found


def _same_reference(one: Mapping[str, Mapping[str, Any]], other: Mapping[str, Mapping[str, Any]]) -> bool:
    a, b = (next(iter(entries.values())).get("volume_ml") for entries in (one, other))
    return a is None or b is None or abs(a - b) <= 1e-6 * max(1.0, abs(a))


def _has(side: Side, row: str) -> bool:
    return any(found["name"] == row for found in side.past.document["rows"])


def _pair(
    row: str, case: str, one: Mapping[str, Mapping[str, Any]], other: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """A case in a row on both sides; empty when a side lacks it."""
    if row not in one or row not in other:
        return {}
    pair: dict[str, Any] = {"row": row, "case": case}
    for metric in METRICS:
        a, b = one[row][metric], other[row][metric]
        pair |= {f"{metric}_a": a, f"{metric}_b": b}
        pair[f"{metric}_difference"] = None if a is None or b is None else b - a
    return pair | {
        f"predicted_ml_{key}": of[row].get("predicted_ml") for key, of in (("a", one), ("b", other))
    }


def _rows(
    rows: Sequence[str], pairs: Sequence[Mapping[str, Any]], a: Side, b: Side
) -> list[dict[str, Any]]:
    values = {metric: {row: _of(pairs, row, metric) for row in rows} for metric in METRICS}
    same = {row for row in rows if _is_same([pair for pair in pairs if pair["row"] == row])}
    tests = {metric: _tests(values[metric], same) for metric in METRICS}
    states = {key: _states(side) for key, side in (("a", a), ("b", b))}
    return [
        {
            "name": row,
            "same": row in same,
            **{
                metric: {
                    "a": _mean(values[metric][row][1]),
                    "b": _mean(values[metric][row][0]),
                    **tests[metric][row],
                }
                for metric in METRICS
            },
            **{key: states[key][row] for key in ("a", "b")},
        }
        for row in rows
    ]


def _tests(values: Mapping[str, tuple[ByCase, ByCase]], same: set[str]) -> dict[str, dict[str, Any]]:
    """The paired tests of the rows; of those with the same masks the numbers alone."""
    found = paired_tests({row: pair for row, pair in values.items() if row not in same})
    untested = {"p": None, "p_holm": None, "significant": False}
    for row in same:
        count = len(values[row][0])
        found[row] = {"n": count, "difference": 0.0 if count else None, **untested}
    return found


def _is_same(pairs: Sequence[Mapping[str, Any]]) -> bool:
    """Whether both sides' masks measure the same in every case of a row: in DSC, in HD95 and in volume."""
    told = (*METRICS, "predicted_ml")
    return bool(pairs) and all(pair[f"{key}_a"] == pair[f"{key}_b"] for pair in pairs for key in told)


def _of(pairs: Sequence[Mapping[str, Any]], row: str, metric: str) -> tuple[ByCase, ByCase]:
    """A row's values by case, b's first: the difference is b minus a."""
    known = [pair for pair in pairs if pair["row"] == row and pair[f"{metric}_difference"] is not None]
    b, a = ({pair["case"]: pair[f"{metric}_{key}"] for pair in known} for key in ("b", "a"))
    return b, a


def _states(side: Side) -> dict[str, dict[str, str]]:
    """Of each row whether it is fresh or stale, and why; of an earlier evaluation as it was marked then."""
    return {
        row["name"]: {"state": row.get("state", ""), "why": row.get("why", "")}
        for row in side.past.document["rows"]
    }


def _mean(values: Mapping[str, float]) -> float | None:
    return float(np.mean(list(values.values()))) if values else None


def _plain(side: Side) -> dict[str, Any]:
    document = side.past.document
    return {
        "label": side.label,
        "project": str(side.project.base.root),
        "variant": side.project.root.name if side.project.parent else "",
        "fingerprint": side.past.fingerprint,
        "time": side.past.time,
        "weights": document["weights"],
        "splits": document["splits"],
        "earlier": not side.past.current,
        "outdated": side.outdated,
    }


def _notes(document: Mapping[str, Any], a: Side, b: Side) -> list[str]:
    notes: list[str] = []
    if "tiny" in (a.past.document["weights"], b.past.document["weights"]):
        notes.append(TINY_NOTE)
    if a.past.fingerprint == b.past.fingerprint and a.project.base.root == b.project.base.root:
        notes.append("Both sides measured the very same masks")
    if document["settings"] is None:
        notes.append("The settings of an evaluation by an earlier clisc are not known")
    elif document["settings"].keys() == {"seed"}:
        notes.append(SEED_NOTE)
    counts = [row[metric]["n"] for row in document["rows"] for metric in METRICS]
    if counts and 0 < max(counts) < FEWEST:
        notes.append(FEW_NOTE)
    if any(counts):
        notes.append(CHANCE_NOTE)
    return notes
