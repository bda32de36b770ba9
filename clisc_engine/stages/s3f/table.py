"""The similarities of S3F as `self-train` records them: results/s3f.csv."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from clisc_engine.errors import BadInput
from clisc_engine.files.tables import Row, read_table, write_table
from clisc_engine.products.kinds import S3F_TABLE
from clisc_engine.project.project import Project

COLUMNS = ("case", "similarity", "kept")


def record(project: Project, scores: Mapping[str, float], names: Collection[str]) -> None:
    """Write each train case's similarity and whether it is among those kept, the least similar first."""
    ranked = sorted(scores.items(), key=lambda item: item[1])
    project.results.mkdir(parents=True, exist_ok=True)
    rows = [
        {"case": name, "similarity": f"{score:.6f}", "kept": int(name in names)} for name, score in ranked
    ]
    write_table(project.root / S3F_TABLE, COLUMNS, rows)


def recorded(project: Project) -> dict[str, float]:
    """The similarities by case; empty before the first `self-train`.

    Raises:
        BadInput: when the table is no longer as it was written.
    """
    return {row.values["case"]: _similarity(project, row) for row in _rows(project)}


def kept(project: Project) -> set[str]:
    """The cases that the last `self-train` kept; raises as `recorded` does."""
    return {row.values["case"] for row in _rows(project) if row.values["kept"] == "1"}


def _similarity(project: Project, row: Row) -> float:
    try:
        return float(row.values["similarity"])
    except ValueError:
        again = project.store.home.in_words("self-train")
        raise BadInput(
            f"{project.file(S3F_TABLE)}, line {row.line}: {row.values['similarity']!r} is no similarity; "
            f"remove that table and run {again}, which writes it anew."
        ) from None


def _rows(project: Project) -> list[Row]:
    path = project.file(S3F_TABLE)
    return read_table(path, COLUMNS, ",".join(COLUMNS)) if path.is_file() else []
