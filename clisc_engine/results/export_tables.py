"""Tables for other tools: slices, cases, and what `evaluate` measured."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from clisc_engine.core.labelling import NORMAL, TUMOUR
from clisc_engine.errors import MissingStage
from clisc_engine.files.tables import table_bytes
from clisc_engine.outputs.inputs import Inputs
from clisc_engine.outputs.outputs import Made, Outputs
from clisc_engine.products.declared import ROWS
from clisc_engine.products.graph import MADE_BY
from clisc_engine.products.kinds import LABELS, PROBABILITY
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.stages.evaluation import tables as evaluation_tables
from clisc_engine.stages.evaluation.staleness import mark_rows
from clisc_engine.stages.s3f import table as s3f_table

NAMES = {NORMAL: "normal", TUMOUR: "tumour"}
TABLE1 = ("table1.csv", "table1-cases.csv")
WAY_OUT = "Choose another folder with -o, or move them away."


def export_tables(project: Project, out: Path) -> list[Path]:
    """Write slices.csv and cases.csv, and the evaluation's tables, where they exist.

    Tables of an earlier export that there are none of any more go.

    Returns:
        The files.

    Raises:
        MissingStage: when nothing has been labelled yet.
        BadInput: naming the files in the way that clisc did not write.
    """
    labelled = [case for case in project.cases() if case.seal(LABELS) is not None]
    if not labelled:
        raise MissingStage(
            f"No case has {LABELS} yet; run {project.store.home.in_words(MADE_BY[LABELS])} first.",
            command=MADE_BY[LABELS],
            home=project.store.home,
        )
    of_evaluation = _measured(project, out)
    measured = {path: data for path, data in of_evaluation.items() if data}
    of_table1 = {out / name: project.results / name for name in TABLE1}
    copied = {path: source for path, source in of_table1.items() if source.is_file()}
    outputs = Outputs(Inputs.of_project(project), WAY_OUT)
    outputs.check([out / "slices.csv", out / "cases.csv", *measured, *copied])
    slices, cases = [row for case in labelled for row in _slices(case)], _cases(project)
    tables = {
        out / "slices.csv": table_bytes(list(slices[0]), slices),
        out / "cases.csv": table_bytes(list(cases[0]), cases),
        **measured,
        **{path: source.read_bytes() for path, source in copied.items()},
    }
    origin = {"project": str(project.root.absolute())}
    for path, data in tables.items():
        outputs.put_bytes(path, data, Made("table", origin))
    for path in {*of_evaluation, *of_table1} - {*tables}:
        if outputs.origin_of(path) == origin:
            outputs.remove(path)
    return list(tables)


def _measured(project: Project, out: Path) -> dict[Path, bytes]:
    """The tables of the evaluation, their rows marked by the settings of now; empty of no rows."""
    document = evaluation_tables.load(project)
    if document is None:
        return {}
    tables = evaluation_tables.tables_of(mark_rows(project, document, ROWS))
    return {
        out / f"evaluation-{name}.csv": evaluation_tables.csv_of(table) if table else b""
        for name, table in tables.items()
    }


def _slices(case: CaseArrays) -> Iterable[dict[str, Any]]:
    """One row a slice: z counts from the brain's first slice, axial_slice from the volume's."""
    first = case.info.placement["crop"][0][0]
    pairs = zip(case.read(PROBABILITY), case.read(LABELS), strict=True)
    for z, (probability, label) in enumerate(pairs):
        yield {
            "case": case.info.name,
            "split": case.info.split,
            "z": z,
            "axial_slice": first + z,
            "probability": f"{probability:.6f}",
            "label": NAMES.get(int(label), "uncertain"),
        }


def _cases(project: Project) -> list[dict[str, Any]]:
    """One row a case: where it comes from, the volume of each mask, and what S3F said."""
    scores = s3f_table.recorded(project)
    kept = s3f_table.kept(project)
    cases = project.cases()
    found = {case.info.name: project.store.children(f"cases/{case.info.name}/masks") for case in cases}
    names = sorted({name for masks in found.values() for name in masks})
    rows: list[dict[str, Any]] = []
    for case in cases:
        name = case.info.name
        voxel = float(np.prod(case.info.spacing)) / 1000
        volumes = {
            f"{mask}_ml": f"{int((case.read(f'masks/{mask}') != 0).sum()) * voxel:.3f}"
            if mask in found[name]
            else ""
            for mask in names
        }
        rows.append(
            {
                "case": name,
                "split": case.info.split,
                "source": case.info.source,
                "spacing_z_mm": case.info.spacing[0],
                "spacing_y_mm": case.info.spacing[1],
                "spacing_x_mm": case.info.spacing[2],
                **volumes,
                "s3f_similarity": scores.get(name, ""),
                "s3f_kept": int(name in kept) if name in scores else "",
            }
        )
    return rows
