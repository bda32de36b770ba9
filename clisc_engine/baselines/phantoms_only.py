"""The bundled 3-D U-Net as it is, trained on phantoms alone: what a project's own learning adds to it."""

from __future__ import annotations

from clisc_engine.models.bundled_unet import load_bundled_unet
from clisc_engine.models.segmenter import Segmenter
from clisc_engine.products.kinds import IMAGE
from clisc_engine.products.rivals import PHANTOMS_ONLY_MASKS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.batch_size import BatchSize
from clisc_engine.running.control import Control
from clisc_engine.running.device import pick_device
from clisc_engine.running.runner import Arrays, Report, run_cases
from clisc_engine.settings.presets import preset
from clisc_engine.stages import recipes


def phantoms_only(project: Project, control: Control, splits: tuple[str, ...]) -> Report:
    """Make ``masks/baseline-phantoms-only`` of the splits."""
    return run_cases(PhantomsOnlyMasks(project, control), project.cases(splits), control)


class PhantomsOnlyMasks:
    """The bundled network's mask of one case after the other."""

    def __init__(self, project: Project, control: Control) -> None:
        """Load nothing yet."""
        self.control = control
        self.spec = recipes.array(project.settings, PHANTOMS_ONLY_MASKS)

    def load(self) -> None:
        """Load the network."""
        settings, device = preset("tiny").unet, pick_device(self.control.device)
        windows = BatchSize(settings.batch_size, "windows", self.control)
        self.segmenter = Segmenter(load_bundled_unet().to(device), settings, device, windows)

    def run_case(self, case: CaseArrays, arrays: Arrays) -> Arrays:
        """The mask (Z, Y, X) of an image (Z, Y, X)."""
        return {PHANTOMS_ONLY_MASKS: self.segmenter.mask(arrays[IMAGE], case.info.spacing)}
