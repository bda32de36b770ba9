"""What `evaluate` has measured of a case: the only way to a reference mask for those who draw it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clisc_engine.products.declared import ROWS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.stages.evaluation import tables as evaluation_tables


def measured(project: Project, case: CaseArrays) -> tuple[npt.NDArray[np.bool_] | None, dict[str, float]]:
    """The (Z, Y, X) reference of a case that `evaluate` has measured, and its DSC in percent by array.

    The reference is cropped to the stored image, which it is drawn over.

    Nothing is opened, and None returned, for any other case: nobody is to tune a step by looking at it.
    """
    document = evaluation_tables.load(project) or {"cases": []}
    entries = [entry for entry in document["cases"] if entry["case"] == case.info.name]
    if not entries:
        return None, {}
    scores = {ROWS[e["name"]]: float(e["dsc"]) for e in entries if e["dsc"] is not None}
    return project.references.read_cropped(case.info) != 0, scores
