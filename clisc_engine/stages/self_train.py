"""Step 6: self-training with SAM-Seg similarity-based filtering, S3F (paper section 2.3)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from clisc_engine.core.filtering import s3f_keep
from clisc_engine.errors import BadInput
from clisc_engine.products.kinds import (
    IMAGE,
    ROUND1,
    SAM_MASKS,
    SAM_ROUND1,
    SIMILARITIES,
    UNET_ROUND1,
    UNET_ROUND2,
)
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Arrays, Report, run_cases, training_report
from clisc_engine.stages import recipes
from clisc_engine.stages.requirements import find_weights, refuse_a_choice, require_validation
from clisc_engine.stages.s3f import table as s3f_table
from clisc_engine.stages.s3f.similarity import outdated_similarities, similarities
from clisc_engine.stages.unet.prediction import predict_cases
from clisc_engine.stages.unet.training import train_unet


def self_train(project: Project, control: Control, until: str = UNET_ROUND2) -> Report:
    """Drop the volumes where SAM and round 1 disagree; train round 2 on the others' predictions.

    Makes ``masks/round1``, ``masks/sam-round1`` and the similarity of each train case, then
    ``unet-round2``; it ends with the one of these that ``until`` names.
    """
    refuse_a_choice(control, "self-train", project.base.root)
    find_weights(project, ("self-train",))
    started = time.monotonic()
    project.checkpoint(UNET_ROUND1).fingerprint()
    failed: dict[str, str] = {}
    for product, step in ((ROUND1, _predict), (SAM_ROUND1, _prompt)):
        report = step(project, control)
        failed |= report.failed
        if control.dry_run and report.planned:
            return report
        if not report.done and not report.fresh:
            raise BadInput(_none_left_message(failed))
        if product == until:
            return replace(report, failed=failed)
    cases = [c for c in project.cases(("train",)) if c.stamp(SAM_ROUND1) and c.info.name not in failed]
    known, kept_in = project.file(SIMILARITIES), project.root / SIMILARITIES
    outdated = control.ranks.share(lambda: outdated_similarities(known))
    scores, unread = control.ranks.share(lambda: similarities(cases, known, kept_in, control))
    failed |= unread
    if until == SIMILARITIES:
        return replace(report, failed=failed)
    kept = s3f_keep(scores, project.settings.s3f.p)
    if not kept:
        raise BadInput(_none_left_message(failed))
    if not control.dry_run:
        control.by_rank_0(lambda: s3f_table.record(project, scores, kept))
    reason = train_round2(project, UNET_ROUND2, [c for c in cases if c.info.name in kept], control)
    reason = f"{outdated}; {reason}" if outdated and reason else reason
    result = training_report("self-train", UNET_ROUND2, reason, control, started)
    result.failed = failed
    return result


def train_round2(project: Project, network: str, kept: Sequence[CaseArrays], control: Control) -> str:
    """Train a network on round 1's predictions of the cases given, starting as `s3f.start` says."""
    validation: list[CaseArrays] = []
    if project.settings.unet.select == "best":
        validation = require_validation(project, SAM_MASKS, setting="unet.select")
        valid = predict_cases(project, UNET_ROUND1, ROUND1, "self-train", ("valid",), control)
        for name, message in valid.failed.items():
            control.progress.say(
                f"{network}: {name} is not among the valid cases that choose the epoch: {message}"
            )
        validation = [c for c in validation if c.stamp(ROUND1) and c.info.name not in valid.failed]
    return train_unet(project, network, [*kept, *validation], control)


def _predict(project: Project, control: Control) -> Report:
    return predict_cases(project, UNET_ROUND1, ROUND1, "self-train", ("train",), control)


def _prompt(project: Project, control: Control) -> Report:
    return run_cases(PredictionMasks(project, control), project.cases(("train",)), control)


class PredictionMasks:
    """SAM's mask for round 1's prediction, prompted as in step 4, of one case after the other."""

    def __init__(self, project: Project, control: Control) -> None:
        """Load nothing yet."""
        self.project, self.control = project, control
        self.spec = recipes.array(project.settings, SAM_ROUND1)

    def load(self) -> None:
        """Load SAM."""
        from clisc_engine.stages.prompting.sam_masks import open_sam

        self.sam = open_sam(self.project, self.control)

    def run_case(self, case: CaseArrays, arrays: Arrays) -> Arrays:
        """The mask of an image (Z, Y, X) with its prediction (Z, Y, X)."""
        prompts = self.project.settings.prompts
        prompter = self.sam.prompter(case, arrays[IMAGE])
        roi = arrays[ROUND1] != 0
        answer = prompter.predict_mask(roi, prompts, prompts.dilation_self_training)
        return {SAM_ROUND1: prompter.bordered(answer)}


def _none_left_message(failed: Mapping[str, str]) -> str:
    name, message = next(iter(failed.items()), ("", "no train case has a prediction and SAM's answer"))
    return (
        f"No train volume is left for round 2: all {len(failed)} failed, first {name}: "
        f"{message.rstrip('.')}. Mend that; it is not s3f.p, which always keeps the most similar volume."
    )
