"""The bundled models as they are, trained on phantoms alone: what a project's own learning adds to them."""

from __future__ import annotations

from clisc_engine.products.kinds import IMAGE
from clisc_engine.products.rivals import PHANTOMS_ONLY_MASKS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Arrays, Report, run_cases
from clisc_engine.stages import recipes


def phantoms_only(project: Project, control: Control, splits: tuple[str, ...]) -> Report:
    """Make ``masks/baseline-phantoms-only`` of the splits."""
    return run_cases(PhantomsOnlyMasks(project, control), project.cases(splits), control)


class PhantomsOnlyMasks:
    """The bundled models' mask of one case after the other."""

    def __init__(self, project: Project, control: Control) -> None:
        """Load nothing yet."""
        self.control = control
        self.spec = recipes.array(project.settings, PHANTOMS_ONLY_MASKS)

    def load(self) -> None:
        """Load the models."""
        from clisc_engine.stages.prompting.with_sam import bundled_models

        self.models = bundled_models(self.control)

    def run_case(self, case: CaseArrays, arrays: Arrays) -> Arrays:
        """The mask (Z, Y, X) of an image (Z, Y, X)."""
        return {PHANTOMS_ONLY_MASKS: self.models.mask(arrays[IMAGE], case.info.spacing)}
