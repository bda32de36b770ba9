"""The tables of Table 1: each row against CLISC, and the files in the project's results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from clisc_engine.baselines.table1.document import GROUP_IN_STORE
from clisc_engine.baselines.table1.rows import FULL
from clisc_engine.core.metrics import SIZE_GROUPS
from clisc_engine.core.significance import paired_tests
from clisc_engine.files.atomic import write_atomically
from clisc_engine.files.tables import rounded, table_bytes
from clisc_engine.project.project import Project

METRICS = ("dsc", "hd95")
FILES = ("table1.csv", "table1-cases.csv")


def against_full(
    measured: Sequence[Mapping[str, Any]], rows: Sequence[str]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Wilcoxon's signed-rank test of each row against CLISC's, Holm-corrected over the rows.

    Args:
        measured: a case in a row each, with ``case``, ``name``, ``dsc`` and ``hd95``.
        rows: by name.

    Returns:
        By row and metric: ``n`` cases that both rows have, the mean ``difference`` row minus CLISC, ``p``,
        ``p_holm`` and whether it is ``significant``. Empty when CLISC is not among the rows.
    """
    if FULL not in rows:
        return {}
    others = [row for row in rows if row != FULL]
    tests: dict[str, dict[str, dict[str, Any]]] = {row: {} for row in others}
    for metric in METRICS:
        values = {row: _values(measured, row, metric) for row in rows}
        found = paired_tests({row: (values[row], values[FULL]) for row in others})
        for row in others:
            tests[row][metric] = found[row]
    return tests


def save(project: Project, document: dict[str, Any]) -> None:
    """Store the document in the project: JSON, CSV tables, and the store's own copy."""
    project.results.mkdir(parents=True, exist_ok=True)
    for name, content in files_of(document).items():
        write_atomically(project.results / name, content)
    write_atomically(project.results / "table1.json", json.dumps(document, indent=2).encode())
    project.store.write_group(GROUP_IN_STORE, {"table1": document})


def files_of(document: Mapping[str, Any]) -> dict[str, bytes]:
    """The CSV tables of a document as the bytes of their files, by name."""
    tables = dict(zip(FILES, (flat(document), document["cases"]), strict=True))
    return {
        name: table_bytes(list(table[0]), (rounded(line, ".6g") for line in table))
        for name, table in tables.items()
    }


def flat(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A line for each row with all its figures."""
    groups = {(entry["name"], entry["group"]): entry for entry in document["groups"]}
    apart = {entry["name"]: entry for entry in document["without_tumour"]["rows"]}
    lines: list[dict[str, Any]] = []
    for row in document["rows"]:
        keys = ("name", "title", "label_free", "threshold", "n", "empty")
        line = {"row" if key == "name" else key: row[key] for key in keys}
        for metric in METRICS:
            line |= {f"{metric}_{part}": row[f"{metric}_{part}"] for part in ("mean", "std")}
            test = (row["against_full"] or {}).get(metric, {})
            line |= {f"{metric}_{key}": test.get(key) for key in ("p", "p_holm")}
        for group in SIZE_GROUPS:
            entry = groups.get((row["name"], group), {})
            line |= {f"dsc_{group}": entry.get("dsc_mean"), f"n_{group}": entry.get("n", 0)}
        line["without_tumour"] = apart.get(row["name"], {}).get("n", 0)
        line["false_positives"] = apart.get(row["name"], {}).get("false_positives", 0)
        for key in ("row", "dsc_mean", "dsc_std", "hd95_mean", "hd95_std"):
            line[f"paper_{key}"] = (row["paper"] or {}).get(key)
        lines.append(line)
    return lines


def _values(measured: Sequence[Mapping[str, Any]], row: str, metric: str) -> dict[str, float]:
    return {
        value["case"]: value[metric]
        for value in measured
        if value["name"] == row and value[metric] is not None
    }
