"""What is told beside a table that was measured: the paper's names, units, how few cases, rows not made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clisc_engine.products import graph
from clisc_engine.products.declared import ROWS
from clisc_engine.project.case_record import SPLITS

PAPER_ROWS: Mapping[str, str] = {
    "cam-raw": "raw CAM",
    "cam-amda": "CAM with AMDA",
    "sam-points": "SAM (5 points)",
    "sam-box": "SAM (box)",
    "sam": "SAM (5 points + box)",
    "without-self-training": "Ours (w/o self-training)",
    "without-s3f": "Ours (w/o S3F)",
    "full": "Ours",
}
"""The rows as the paper's Table 2 calls them."""

UNITS: Mapping[str, str] = {
    "dsc": "percent",
    "hd95": "mm",
    "ml": "ml",
    "mean": "over the n cases",
    "std": "standard deviation over the n cases (divided by n)",
}
"""What the parts of a column's name mean."""

FEW = 10
"""Cases: with fewer, a fifth of them is one or two."""

PROGRAM = "clisc "


def with_commands(document: Mapping[str, Any], pasted: Callable[[str], str]) -> dict[str, Any]:
    """A document of Table 1 or 2, with its commands as they are to be run.

    A kept one names neither project nor variant in them, since a project may be moved. ``pasted`` makes of
    a command without ``clisc`` what a shell takes.
    """

    def whole(command: str) -> str:
        return pasted(command.removeprefix(PROGRAM))

    found = {**document, "lacking": [{**r, "command": whole(r["command"])} for r in document["lacking"]]}
    if "stale" in document:
        stale = document["stale"]
        found["stale"] = {**stale, "renew": [whole(command) for command in stale["renew"]]}
    return found


def lacking_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The rows of Table 2 that are not among these: name, the paper's name, the command that makes them."""
    there = {row["name"] for row in rows}
    return [
        {"name": name, "paper_row": PAPER_ROWS[name], "command": _command(array)}
        for name, array in ROWS.items()
        if name not in there
    ]


def lacking_in_words(document: Mapping[str, Any]) -> str:
    """The rows of Table 2 that a document lacks, by the command that makes them; empty if it has all."""
    by_command: dict[str, list[str]] = {}
    for row in document["lacking"]:
        by_command.setdefault(row["command"], []).append(row["name"])
    told = [f"{', '.join(names)} (`{command}`)" for command, names in by_command.items()]
    return f"Not made yet: {'; '.join(told)}" if told else ""


def few_cases(document: Mapping[str, Any], *, advice: bool = True) -> str:
    """What so few cases are worth, and with ``advice`` how to measure more; empty for `FEW` or more."""
    count = max((row["n"] for row in document["rows"]), default=0)
    if not 0 < count < FEW:
        return ""
    if count == 1:
        said = "1 case: figures of one volume, without a deviation"
    else:
        sizes = sorted({entry["n"] for entry in document["groups"]})
        fifths = f", and a fifth by size has {_span(sizes)} of them" if sizes else ""
        said = f"{count} cases are few: each moves a mean by a lot{fifths}"
    more = advice and set(document["splits"]) < {*SPLITS}
    hint = f" `--splits {','.join(SPLITS)}` measures all that have a reference." if more else ""
    return f"{said}.{hint}"


def splits_in_words(document: Mapping[str, Any]) -> str:
    """The splits that were measured, e.g. ``train, test``; empty where a document does not say it."""
    return ", ".join(split for split in SPLITS if split in document["splits"])


def counts_by_group(document: Mapping[str, Any]) -> dict[str, str]:
    """How many cases each group of sizes has, e.g. ``n = 4``; a span where the rows differ."""
    found: dict[str, set[int]] = {}
    for entry in document["groups"]:
        found.setdefault(entry["group"], set()).add(entry["n"])
    return {group: f"n = {_span(sorted(counts))}" for group, counts in found.items()}


def _span(numbers: Sequence[int]) -> str:
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def _command(array: str) -> str:
    return PROGRAM + (graph.ABLATION if graph.MADE_BY[array] == graph.ABLATION else "run")
