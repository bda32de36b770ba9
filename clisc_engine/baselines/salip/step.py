"""SaLIP as a row of Table 1, case by case."""

from __future__ import annotations

from clisc_engine.products.kinds import IMAGE, LABELS
from clisc_engine.products.rivals import SALIP_MASKS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Arrays, Report, run_cases
from clisc_engine.stages import recipes


def salip(project: Project, control: Control, splits: tuple[str, ...]) -> Report:
    """Make ``masks/baseline-salip`` of the splits from images and CLIP's labels."""
    return run_cases(SalipStep(project, control), project.cases(splits), control)


class SalipStep:
    """SaLIP's mask of one case after the other."""

    def __init__(self, project: Project, control: Control) -> None:
        """Load nothing yet."""
        self.project, self.control = project, control
        self.spec = recipes.array(project.settings, SALIP_MASKS)

    def load(self) -> None:
        """Load SAM and CLIP."""
        from clisc_engine.baselines.salip.method import SalipMasks

        self.masks = SalipMasks(self.project, self.control)
        self.masks.load()

    def run_case(self, case: CaseArrays, arrays: Arrays) -> Arrays:
        """The mask (Z, Y, X) of an image (Z, Y, X) with CLIP's labels (Z,)."""
        return {SALIP_MASKS: self.masks.mask(arrays[IMAGE], arrays[LABELS], case.info.spacing, case)}
