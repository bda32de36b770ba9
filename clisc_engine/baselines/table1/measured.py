"""The references of cases that Table 1 has measured: the only way to one for those who draw them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine.baselines.table1 import document as stored_document
from clisc_engine.baselines.table1.rows import own_rows
from clisc_engine.errors import BadInput
from clisc_engine.products.rivals import TABLE1_ROWS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.stages.evaluation.measured import Measured, measured_by


def measured_reference(
    project: Project, case: CaseArrays, document: Mapping[str, Any]
) -> npt.NDArray[np.bool_]:
    """The (Z, Y, X) reference of a case, cropped to the stored image.

    Raises:
        BadInput: when the document has not measured the case; nothing is opened then, for nobody is to
            tune a method by looking at its reference.
    """
    if all(entry["case"] != case.info.name for entry in document["cases"]):
        raise BadInput(f"{case.info.name} is not in Table 1, so its reference is not shown.")
    return project.references.read_cropped(case.info) != 0


def measured_in_table1(project: Project, case: CaseArrays) -> Measured:
    """What Table 1 has measured of a case, of masks alone: an oracle row's mask is not kept.

    Nothing is opened of a case that it has not measured.
    """
    document = stored_document.load(project.store)
    if document is None:
        return Measured()
    return measured_by(project, case, document, {**TABLE1_ROWS, **own_rows(project, [case])})
