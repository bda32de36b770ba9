"""Oracle rows: a map cut where it agrees best with the references that it is measured against.

So AMCons, GradCAMCons and 3D IF were published [code]. The difference to the label-free row beside it is
the price of having no labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from clisc_engine.baselines.table1.rows import Row
from clisc_engine.core import thresholds
from clisc_engine.core.best_f1 import PooledCounts
from clisc_engine.products.kinds import IMAGE, LABELS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control

BELOW_ALL = -65536.0
"""Under every value of a map: the threshold where marking the whole brain is best."""


def oracle_thresholds(
    project: Project, rows: Sequence[Row], cases: Sequence[CaseArrays], control: Control
) -> dict[str, float]:
    """The threshold of each oracle row, by best pooled F1 over the brain voxels of the cases.

    Rows whose references are all empty have none. A case is read at a time.
    """
    found: dict[str, float] = {}
    for row in (row for row in rows if row.is_oracle):
        counts = PooledCounts()
        having = [case for case in cases if case.seal(row.array) is not None]
        control.progress.begin(f"{row.name}: threshold", len(having), "case")
        for case in having:
            control.check_stop()
            brain = case.read(IMAGE) != 0
            inside = project.references.read_cropped(case.info) != 0
            counts.add(case.read(row.array)[brain].astype(np.float16), inside[brain])
            control.progress.advance(case.info.name)
        control.progress.end()
        if (best := counts.best()) is not None:
            found[row.name] = max(best.threshold, BELOW_ALL)
    return found


def cut(project: Project, case: CaseArrays, array: str, threshold: float) -> npt.NDArray[np.uint8]:
    """The mask (Z, Y, X) of a map over a threshold, gated as the label-free row's is."""
    gate = case.read(LABELS) if project.settings.baselines.gate else None
    mask = thresholds.cut(case.read(array), case.read(IMAGE) != 0, threshold, gate)
    return mask.astype(np.uint8)
