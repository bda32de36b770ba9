"""The report's tables and the numbers of its box plots, from what was gathered; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clisc_engine.core.metrics import SIZE_GROUPS
from clisc_engine.report.choose import final_row
from clisc_engine.report.gather import Story

ROW_TITLES = {
    "cam-raw": "raw CAM",
    "cam-amda": "CAM with AMDA",
    "sam-points": "SAM, points",
    "sam-box": "SAM, box",
    "sam": "SAM, box and points",
    "without-self-training": "network, round 1",
    "without-s3f": "self-training without S3F",
    "full": "full: round 2 with S3F",
}
SHORT_TITLES = {
    "cam-raw": "CAM",
    "cam-amda": "AMDA",
    "sam-points": "points",
    "sam-box": "box",
    "sam": "SAM",
    "without-self-training": "round 1",
    "without-s3f": "no S3F",
    "full": "full",
}
EXTREMES = 5


@dataclass(frozen=True)
class CaseLine:
    """One case in the table of all cases; None where nothing is known.

    Attributes:
        name: of the case.
        split: train, valid or test.
        dsc: of the best row's mask, in percent; None too where there is no tumour.
        hd95: of the same, in mm.
        volume: of the reference, in ml.
        group: of its size, or that there is no tumour.
        similarity: S3F's.
        kept: whether S3F kept it.
    """

    name: str
    split: str
    dsc: float | None
    hd95: float | None
    volume: float | None
    group: str
    similarity: float | None
    kept: bool | None


def case_lines(story: Story, splits: Mapping[str, str]) -> list[CaseLine]:
    """Every case with its result, by name; ``splits`` gives each case's split."""
    measured = _entries(story.evaluation) if story.evaluation else {}
    similarities = {**story.kept, **story.dropped}
    lines: list[CaseLine] = []
    for name, split in splits.items():
        entry = measured.get(name, {})
        lines.append(
            CaseLine(
                name=name,
                split=split,
                dsc=entry.get("dsc"),
                hd95=entry.get("hd95"),
                volume=entry.get("volume_ml"),
                group=entry.get("group", ""),
                similarity=similarities.get(name),
                kept=name in story.kept if name in similarities else None,
            )
        )
    return lines


def dsc_by_row(evaluation: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """DSC of each case with a tumour, by row that was measured, under short titles as in Table 2."""
    return {
        SHORT_TITLES.get(row["name"], row["name"]): {
            entry["case"]: entry["dsc"]
            for entry in evaluation["cases"]
            if entry["name"] == row["name"] and entry["dsc"] is not None
        }
        for row in evaluation["rows"]
    }


def dsc_by_size(evaluation: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """DSC by case of the best row in each group of tumour size, smallest tumours first."""
    entries = _entries(evaluation).values()
    return {
        group: {entry["case"]: entry["dsc"] for entry in entries if entry["group"] == group}
        for group in SIZE_GROUPS
    }


def extremes(ranked: Sequence[str]) -> tuple[list[str], list[str]]:
    """The worst cases, worst first, and the best, best first; no case in both."""
    count = min(EXTREMES, len(ranked) // 2)
    return list(ranked[:count]), list(reversed(ranked[len(ranked) - count :]))


def _entries(evaluation: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What was measured of the best row, by case."""
    row = final_row(evaluation["rows"])
    return {entry["case"]: entry for entry in evaluation["cases"] if entry["name"] == row}
