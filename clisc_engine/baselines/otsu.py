"""A floor for Table 1 that learns nothing: voxels over Otsu's threshold of the volume's brain.

This file is also the example of docs/comparison.md: a method of one's own is a class with ``spec``,
``load`` and ``run_case``, its array declared in products/rivals.py.
"""

from __future__ import annotations

import numpy as np

from clisc_engine.core.roi import otsu_threshold
from clisc_engine.products.kinds import IMAGE
from clisc_engine.products.rivals import OTSU_MASKS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Arrays, Report, run_cases
from clisc_engine.stages import recipes
from clisc_engine.stages.classifier.slices import windowed


def otsu(project: Project, control: Control, splits: tuple[str, ...]) -> Report:
    """Make ``masks/baseline-otsu`` of the splits."""
    return run_cases(OtsuMasks(project), project.cases(splits), control)


class OtsuMasks:
    """The bright part of a brain: one class of Otsu's two, over the whole volume."""

    def __init__(self, project: Project) -> None:
        """Nothing is loaded: there is no model."""
        self.window = project.settings.window
        self.spec = recipes.array(project.settings, OTSU_MASKS)

    def load(self) -> None:
        """Nothing is needed."""

    def run_case(self, _case: CaseArrays, arrays: Arrays) -> Arrays:
        """The mask (Z, Y, X) of an image (Z, Y, X)."""
        brain = arrays[IMAGE] != 0
        intensity = windowed(arrays[IMAGE], self.window) / 255
        mask = brain & (intensity > otsu_threshold(intensity[brain]))
        return {OTSU_MASKS: mask.astype(np.uint8)}
