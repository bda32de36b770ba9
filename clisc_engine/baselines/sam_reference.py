"""SAM prompted from the references: how good step 4 could be with perfect regions (paper, Table 1).

Reads reference masks, by design. The dilation of the boxes is 0, as the authors use for regions that are
masks and no maps.
"""

from __future__ import annotations

import time

from clisc_engine.errors import BadInput, Home
from clisc_engine.products.kinds import IMAGE, REFERENCE
from clisc_engine.products.rivals import SAM_REFERENCE_MASKS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Arrays, Report, run_cases
from clisc_engine.stages import recipes

DILATION = 0


def sam_reference(project: Project, control: Control, splits: tuple[str, ...]) -> Report:
    """Make ``masks/baseline-sam-reference`` of the cases of the splits that have a reference.

    Raises:
        BadInput: when none has.
    """
    started = time.monotonic()
    cases = [project.with_reference(case) for case in project.cases(splits) if case.info.has_reference]
    if not cases:
        raise BadInput(no_reference("sam-reference", splits, project.store.home))
    report = run_cases(ReferenceMasks(project, control), cases, control)
    report.seconds = time.monotonic() - started
    return report


def no_reference(row: str, splits: tuple[str, ...], home: Home) -> str:
    """Why a row that reads references cannot be made."""
    adding = Home(home.project).in_words("init --images IMAGES --references MASKS")
    return (
        f"{row} reads reference masks, and no case of the {' or '.join(splits)} split has one; add them "
        f"with {adding}, or choose other --splits."
    )


class ReferenceMasks:
    """SAM's mask for prompts from the reference, of one case after the other."""

    def __init__(self, project: Project, control: Control) -> None:
        """Load nothing yet."""
        self.project, self.control = project, control
        self.spec = recipes.array(project.settings, SAM_REFERENCE_MASKS)

    def load(self) -> None:
        """Load SAM."""
        from clisc_engine.stages.prompting.sam_masks import open_sam

        self.sam = open_sam(self.project, self.control)

    def run_case(self, case: CaseArrays, arrays: Arrays) -> Arrays:
        """The mask of an image (Z, Y, X) with its reference (Z, Y, X)."""
        prompter = self.sam.prompter(case, arrays[IMAGE])
        region = arrays[REFERENCE] != 0
        answer = prompter.predict_mask(region, self.project.settings.prompts, DILATION)
        return {SAM_REFERENCE_MASKS: prompter.bordered(answer)}
