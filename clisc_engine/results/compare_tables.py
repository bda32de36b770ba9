"""A comparison as CSV: a line for each row, and beside it one for each case in each row."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clisc_engine.files.tables import table_bytes
from clisc_engine.outputs.inputs import Inputs
from clisc_engine.outputs.outputs import Made, Outputs
from clisc_engine.results.compare import METRICS
from clisc_engine.results.sides import Side

FIGURES = ("a", "b", "difference", "n", "p", "p_holm")
PAIR = ("row", "case", *(f"{m}_{k}" for m in METRICS for k in ("a", "b", "difference")))
PAIR_COLUMNS = (*PAIR, "predicted_ml_a", "predicted_ml_b", "table")


def write_tables(a: Side, b: Side, document: Mapping[str, Any], path: Path) -> list[Path]:
    """Write ``path`` and ``NAME-cases.csv`` beside it; their paths. DSC in percent, HD95 in mm.

    Raises:
        BadInput: when one is there that clisc did not write.
        DiskFault: when the disk does not take them.
    """
    cases = path.with_name(f"{path.stem}-cases{path.suffix}")
    outputs = outputs_of(a, b, "--csv")
    outputs.check([path, cases])
    labels = [side["label"] for side in document["sides"]]
    parts = [("2", document), *([("1", document["table1"])] if document["table1"] else [])]
    lines = [
        {
            "table": number,
            "row": row["name"],
            "side_a": labels[0],
            "side_b": labels[1],
            **{f"{metric}_{key}": row[metric][key] for metric in METRICS for key in FIGURES},
            "state_a": row["a"]["state"],
            "state_b": row["b"]["state"],
        }
        for number, part in parts
        for row in part["rows"]
    ]
    columns = [
        *("row", "side_a", "side_b"),
        *(f"{metric}_{key}" for metric in METRICS for key in FIGURES),
        *("state_a", "state_b", "table"),
    ]
    pairs = [{**pair, "table": number} for number, part in parts for pair in part["pairs"]]
    tables = ((path, columns, lines), (cases, PAIR_COLUMNS, pairs))
    for file, heads, table in tables:
        data = table_bytes(heads, map(_rounded, table))
        outputs.put_bytes(file, data, made("table", document))
    return [path, cases]


def _rounded(line: Mapping[str, Any]) -> dict[str, Any]:
    """The line with its fractions to six digits, as numbers: a difference may begin with a minus sign."""
    return {
        key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in line.items()
    }


def outputs_of(a: Side, b: Side, option: str) -> Outputs:
    """The files of a comparison; inputs of either project are never replaced."""
    inputs = Inputs.of_project(a.project) | Inputs.of_project(b.project)
    return Outputs(inputs, f"Choose another file with {option}, or move that one away.")


def made(what: str, document: Mapping[str, Any]) -> Made:
    """What a file of a comparison is, and from which evaluations."""
    a, b = document["sides"]
    return Made(what, {"a": a["fingerprint"], "b": b["fingerprint"]})
