"""What `evaluate` has measured of a case: the only way to a reference mask for those who draw it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clisc_engine.products.declared import ROWS
from clisc_engine.project import CaseArrays, Project
from clisc_engine.stages import evaluation_tables


def measured(project: Project, case: CaseArrays) -> tuple[npt.NDArray[np.bool_] | None, dict[str, float]]:
    """The (Z, Y, X) reference of a case that `evaluate` has measured, and its DSC in percent by array.

    Nothing is opened, and None returned, for any other case: nobody is to tune a step by looking at it.
    """
    document = evaluation_tables.load(project) or {"cases": []}
    entries = [entry for entry in document["cases"] if entry["case"] == case.info.name]
    if not entries:
        return None, {}
    scores = {ROWS[entry["name"]]: float(entry["dsc"]) for entry in entries}
    return project.references.read(case.info) != 0, scores
