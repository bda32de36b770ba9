"""Tables of an evaluation: means over cases and size groups, kept as JSON, CSV and in the store."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clisc_engine.core.metrics import SIZE_GROUPS
from clisc_engine.project import Project
from clisc_engine.stages import evaluation_document
from clisc_engine.stages.evaluation_document import GROUP_IN_STORE
from clisc_engine.store import write_atomically
from clisc_engine.tables import write_table


def summarise_rows(measured: Sequence[dict[str, Any]], rows: Sequence[str]) -> list[dict[str, Any]]:
    """Mean and standard deviation (population) of DSC and HD95 for each row."""
    return [{"name": row, **_summary([m for m in measured if m["name"] == row])} for row in rows]


def summarise_groups(measured: Sequence[dict[str, Any]], rows: Sequence[str]) -> list[dict[str, Any]]:
    """The same for each of the five groups of tumour size that has cases."""
    summaries: list[dict[str, Any]] = []
    for row in rows:
        for group in SIZE_GROUPS:
            members = [m for m in measured if m["name"] == row and m["group"] == group]
            if members:
                summaries.append({"name": row, "group": group, **_summary(members)})
    return summaries


def save(project: Project, document: dict[str, Any]) -> None:
    """Store the document in the project: JSON, three CSV tables, and the store's own copy."""
    project.results.mkdir(parents=True, exist_ok=True)
    for name in ("rows", "groups", "cases"):
        table = document[name]
        write_table(project.results / f"{name}.csv", list(table[0]), map(_rounded, table))
    text = json.dumps(document, indent=2)
    write_atomically(project.results / "evaluation.json", text.encode())
    project.store.write_group(GROUP_IN_STORE, {"evaluation": document})


def load(project: Project) -> dict[str, Any] | None:
    """The stored document, None before the first evaluation."""
    return evaluation_document.load(project.store)


def _summary(values: Sequence[dict[str, Any]]) -> dict[str, Any]:
    dsc = np.array([value["dsc"] for value in values], float)
    hd95 = np.array([value["hd95"] for value in values], float)
    return {
        "dsc_mean": float(dsc.mean()),
        "dsc_std": float(dsc.std()),
        "hd95_mean": float(hd95.mean()),
        "hd95_std": float(hd95.std()),
        "n": len(values),
        "empty": sum(bool(value["empty"]) for value in values),
    }


def _rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: f"{value:.4f}" if isinstance(value, float) else value for key, value in row.items()}
