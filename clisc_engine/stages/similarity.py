"""The similarities of S3F as `self-train` records them: results/s3f.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping

from clisc_engine.project import Project
from clisc_engine.store import write_atomically

FILE = "s3f.csv"


def record(project: Project, scores: Mapping[str, float], kept: Collection[str]) -> None:
    """Write each train case's similarity and whether it was kept, the least similar first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["case", "similarity", "kept"])
    for name, score in sorted(scores.items(), key=lambda item: item[1]):
        writer.writerow([name, f"{score:.6f}", int(name in kept)])
    project.results.mkdir(parents=True, exist_ok=True)
    write_atomically(project.results / FILE, text.getvalue().encode())


def recorded(project: Project) -> dict[str, float]:
    """The similarities by case; empty before the first `self-train`."""
    path = project.results / FILE
    if not path.is_file():
        return {}
    rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    return {row["case"]: float(row["similarity"]) for row in rows}
