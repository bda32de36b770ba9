"""A trained U-Net's masks of a project's cases."""

from __future__ import annotations

from clisc_engine.products.kinds import IMAGE
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
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
        self.project, self.array, self.control = project, array, control
        self.checkpoint = project.checkpoint(network)
        trained = self.checkpoint.fingerprint()
        self.spec = recipes.array(project.settings, array, trained=trained, step=step)

    def load(self) -> None:
        """Load the network, and SAM if it is asked."""
        from clisc_engine.models.segmenter import Segmenter
        from clisc_engine.models.unet import build_unet

        settings = self.project.settings.unet
        module = build_unet(settings.channels, settings.spacing)
        self.checkpoint.load(module)
        self.segmenter = Segmenter.of(module.eval(), settings, self.control)
        if settings.ask_sam:
            from clisc_engine.stages.prompting.sam_masks import open_sam

            self.sam = open_sam(self.project, self.control)

    def run_case(self, case: CaseArrays, arrays: Arrays) -> Arrays:
        """The mask of an image."""
        image, settings = arrays[IMAGE], self.segmenter.settings
        if not settings.ask_sam:
            return {self.array: self.segmenter.mask(image, case.info.spacing)}
        from clisc_engine.stages.prompting.with_sam import SEED, asked

        prompter = self.sam.prompter(case, image, seed=SEED)
        probability = self.segmenter.probability(image, case.info.spacing)
        return {self.array: asked(prompter, probability, settings)}
