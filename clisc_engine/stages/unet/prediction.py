"""A trained U-Net's masks of a project's cases."""

from __future__ import annotations

from clisc_engine.products.kinds import IMAGE
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.batch_size import BatchSize
from clisc_engine.running.control import Control
from clisc_engine.running.device import pick_device
from clisc_engine.running.runner import Arrays, Report, run_cases
from clisc_engine.stages import recipes


def predict_cases(
    project: Project,
    network: str,
    array: str,
    step: str,
    splits: tuple[str, ...],
    control: Control,
) -> Report:
    """Predict the cases of some splits with a trained U-Net; ``step`` is the command that asks for it."""
    stage = Predictions(project, network, array, step, control)
    return run_cases(stage, project.cases(splits), control)


class Predictions:
    """A trained U-Net's mask (Z, Y, X) uint8 of one case after the other, stored as ``array``."""

    def __init__(self, project: Project, network: str, array: str, step: str, control: Control) -> None:
        """Look at the checkpoint, but load nothing yet."""
        self.settings, self.array, self.control = project.settings.unet, array, control
        self.checkpoint = project.checkpoint(network)
        trained = self.checkpoint.fingerprint()
        self.spec = recipes.array(project.settings, array, trained=trained, step=step)

    def load(self) -> None:
        """Load the network."""
        from clisc_engine.models.segmenter import Segmenter
        from clisc_engine.models.unet import build_unet

        device = pick_device(self.control.device)
        module = build_unet(self.settings.channels, self.settings.spacing).to(device)
        self.checkpoint.load(module)
        windows = BatchSize(self.settings.batch_size, "windows", self.control)
        self.segmenter = Segmenter(module.eval(), self.settings, device, windows)

    def run_case(self, case: CaseArrays, arrays: Arrays) -> Arrays:
        """The mask of an image."""
        return {self.array: self.segmenter.mask(arrays[IMAGE], case.info.spacing)}
