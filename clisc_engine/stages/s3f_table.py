"""The similarities of S3F as `self-train` records them: results/s3f.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping

from clisc_engine.project import Project
from clisc_engine.store import write_atomically

FILE = "s3f.csv"


def record(project: Project, scores: Mapping[str, float], names: Collection[str]) -> None:
    """Write each train case's similarity and whether it is among those kept, the least similar first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["case", "similarity", "kept"])
    for name, score in sorted(scores.items(), key=lambda item: item[1]):
        writer.writerow([name, f"{score:.6f}", int(name in names)])
    project.results.mkdir(parents=True, exist_ok=True)
    write_atomically(project.results / FILE, text.getvalue().encode())


def recorded(project: Project) -> dict[str, float]:
    """The similarities by case; empty before the first `self-train`."""
    return {row["case"]: float(row["similarity"]) for row in _rows(project)}


def kept(project: Project) -> set[str]:
    """The cases that the last `self-train` kept."""
    return {row["case"] for row in _rows(project) if row["kept"] == "1"}


def _rows(project: Project) -> list[dict[str, str]]:
    path = project.results / FILE
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) if path.is_file() else []
