"""A trained U-Net's masks of a project's cases."""

from __future__ import annotations

from clisc_engine.models.segmenter import Segmenter
from clisc_engine.models.unet import build_unet
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.batch_size import BatchSize
from clisc_engine.running.control import Control
from clisc_engine.running.device import pick_device
from clisc_engine.running.runner import Arrays, Report, Work, run_cases
from clisc_engine.stages import recipes


def predict_cases(
    project: Project,
    network: str,
    array: str,
    stage: str,
    splits: tuple[str, ...],
    control: Control,
) -> Report:
    """Predict the cases of some splits with a trained U-Net; (Z, Y, X) uint8 masks."""
    settings = project.settings.unet
    checkpoint = Checkpoint(project.checkpoints, network)

    def load() -> Work:
        device = pick_device(control.device)
        module = build_unet(settings.channels, settings.spacing).to(device)
        checkpoint.load(module)
        windows = BatchSize(settings.batch_size, "windows", control)
        segmenter = Segmenter(module.eval(), settings, device, windows)

        def work(case: CaseArrays, arrays: Arrays) -> Arrays:
            return {array: segmenter.mask(arrays["image"], case.info.spacing)}

        return work

    recipe = recipes.array(project.settings, array, load, trained=checkpoint.fingerprint(), step=stage)
    return run_cases(recipe, project.cases(splits), control)
