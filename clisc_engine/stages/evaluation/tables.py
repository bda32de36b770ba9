"""Tables of an evaluation: means over cases and size groups, kept as JSON, CSV and in the store."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clisc_engine.core.metrics import SIZE_GROUPS
from clisc_engine.files.atomic import write_atomically
from clisc_engine.files.reading import is_there, object_at
from clisc_engine.files.tables import rounded, table_bytes
from clisc_engine.products.kinds import EVALUATION
from clisc_engine.project.project import Project
from clisc_engine.stages.evaluation import document as evaluation_document
from clisc_engine.stages.evaluation import history
from clisc_engine.stages.evaluation.document import GROUP_IN_STORE

JSON = Path(EVALUATION).name
"""The whole document, among the results."""


def summarise_rows(measured: Sequence[dict[str, Any]], rows: Sequence[str]) -> list[dict[str, Any]]:
    """Mean and standard deviation (population) of DSC and HD95 for each row, over cases with a tumour."""
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


def summarise_without_tumour(measured: Sequence[dict[str, Any]], rows: Sequence[str]) -> dict[str, Any]:
    """The cases whose reference is empty: in how many of them each row marks something, and how much.

    Returns:
        ``cases`` by name, and ``rows``, none without such cases: ``n``, ``false_positives``, their
        ``volume_ml`` by case, and its mean (None without any).
    """
    members = [value for value in measured if value["dsc"] is None]
    cases = list(dict.fromkeys(value["case"] for value in members))
    summaries: list[dict[str, Any]] = []
    for row in rows if cases else ():
        volumes = {v["case"]: v["predicted_ml"] for v in members if v["name"] == row and not v["empty"]}
        mean = float(np.mean(list(volumes.values()))) if volumes else None
        summaries.append(
            {
                "name": row,
                "n": len(cases),
                "false_positives": len(volumes),
                "volume_ml_mean": mean,
                "volume_ml": volumes,
            }
        )
    return {"cases": cases, "rows": summaries}


def save(project: Project, document: dict[str, Any]) -> None:
    """Store the document in the project: JSON, CSV tables, the store's own copy, and one in the history.

    So is the document that it replaces, if no history has it yet, as of version 0.1.0.
    """
    project.results.mkdir(parents=True, exist_ok=True)
    before = load(project)
    if before is not None:
        history.keep(project, before, settings=None)
    history.keep(project, document, settings=history.settings_of(project))
    for name, table in tables_of(document).items():
        path = project.results / f"{name}.csv"
        if table:
            write_atomically(path, csv_of(table))
        else:
            path.unlink(missing_ok=True)
    text = json.dumps(document, indent=2)
    write_atomically(project.results / JSON, text.encode())
    project.store.write_group(GROUP_IN_STORE, {"evaluation": document})


def lost_files(results: Path, document: Mapping[str, Any]) -> dict[str, str]:
    """The files of a stored document that programs would look for in vain, each with what is wrong.

    A table that has other content than was written is left to whoever wrote that.

    Args:
        results: the project's folder of results.
        document: as `save` kept it in the store.

    Raises:
        Unreadable: when a file is there and cannot be read now.
    """
    tables = [f"{name}.csv" for name, table in tables_of(document).items() if table]
    lost = {name: "it is gone" for name in [*tables, JSON] if not is_there(results / name)}
    if JSON not in lost and object_at(results / JSON) is None:
        lost[JSON] = "it is not whole"
    return lost


def csv_of(table: Sequence[Mapping[str, Any]]) -> bytes:
    """A table with lines as the bytes of its file."""
    return table_bytes(list(table[0]), map(rounded, table))


def tables_of(document: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The lines of each CSV table of a document, by its name without ending."""
    tables = {name: document[name] for name in ("rows", "groups", "cases")}
    tables["without_tumour"] = [
        {key: value for key, value in row.items() if key != "volume_ml"}
        for row in document["without_tumour"]["rows"]
    ]
    return tables


def load(project: Project) -> dict[str, Any] | None:
    """The stored document, None before the first evaluation."""
    return evaluation_document.load(project.store)


def _summary(measured: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Over the cases with a tumour; the means are None without any."""
    values = [value for value in measured if value["dsc"] is not None]
    summary: dict[str, Any] = {}
    for metric in ("dsc", "hd95"):
        found = np.array([value[metric] for value in values], float)
        summary[f"{metric}_mean"] = float(found.mean()) if values else None
        summary[f"{metric}_std"] = float(found.std()) if values else None
    return {**summary, "n": len(values), "empty": sum(bool(value["empty"]) for value in values)}
