"""What each step needs, makes, and is made from: freshness and staleness follow from this alone.

No voxel is read and no network loaded here, so that `clisc status` answers at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clisc_engine.checkpoints import Checkpoint
from clisc_engine.fingerprint import fingerprint, settings_used
from clisc_engine.models.clip_file import clip_digest
from clisc_engine.models.weights import sam_digest
from clisc_engine.project import CaseArrays, Project
from clisc_engine.runner import CaseStage, Work
from clisc_engine.settings import PromptSettings, Settings

ROWS = {
    "cam-raw": "cams/raw",
    "cam-amda": "cams/amda",
    "sam-points": "masks/sam-points",
    "sam-box": "masks/sam-box",
    "sam": "masks/sam",
    "without-self-training": "masks/round1",
    "without-s3f": "masks/without-s3f",
    "full": "masks/round2",
}
"""The rows of the paper's Table 2 and the array each one measures."""

EVALUATION_REVISION = 2
"""Since 2, figures are of the whole volume, and cases without tumour stand apart."""

INFERENCE = ("unet.inference", "unet.overlap", "unet.largest_component")
"""Settings of a U-Net that change its predictions alone, not its training."""

GOING_ON = ("s3f.start", "s3f.epochs", "s3f.learning_rate")
"""Settings of a round 2 that goes on from round 1, in the place of the U-Net's own two."""

_SAM = (
    "prompts.per_component",
    "prompts.foreground",
    "sam.model",
    "sam.image_size",
    "sam.equalise",
    "sam.inside_brain",
    "window",
    "seed",
)


def not_runnable() -> Work:
    """In the place of a recipe's work where only its freshness is asked for."""
    raise NotImplementedError("this recipe was made to be looked at, not run")


def label(settings: Settings, load: Callable[[], Work] = not_runnable) -> CaseStage:
    """CLIP's slice labels."""
    digest = clip_digest(settings.label.model, settings.label.pretrained)
    return CaseStage(
        name="label",
        inputs=("image",),
        outputs=("labels/probability", "labels/tumour"),
        made_from={**settings_used(settings, "label", "window"), "clip": digest},
        load=load,
    )


def maps(
    settings: Settings,
    stage: str,
    array: str,
    classifier: str,
    trained: str,
    load: Callable[[], Work] = not_runnable,
) -> CaseStage:
    """Class activation maps by a classifier whose weights have the fingerprint ``trained``."""
    return CaseStage(
        name=stage,
        inputs=("image", "labels/tumour"),
        outputs=(array,),
        made_from={**settings_used(settings, "cam", "window"), classifier: trained},
        load=load,
    )


def sam_masks(
    settings: Settings, prompts: PromptSettings, array: str, load: Callable[[], Work] = not_runnable
) -> CaseStage:
    """SAM's answer to the maps."""
    return CaseStage(
        name="prompt-sam",
        inputs=("image", "cams/amda"),
        outputs=(array,),
        made_from={
            **settings_used(settings, "roi", *_SAM),
            "prompts.kind": prompts.kind,
            "prompts.dilation": str(prompts.dilation),
            "sam": sam_digest(settings.sam.model, settings.sam.checkpoint),
        },
        load=load,
    )


def sam_masks_of_round1(settings: Settings, load: Callable[[], Work] = not_runnable) -> CaseStage:
    """SAM's answer to round 1's predictions."""
    return CaseStage(
        name="self-train",
        inputs=("image", "masks/round1"),
        outputs=("masks/sam-round1",),
        made_from={
            **settings_used(settings, "prompts.kind", "prompts.dilation_self_training", *_SAM),
            "sam": sam_digest(settings.sam.model, settings.sam.checkpoint),
        },
        load=load,
    )


def predictions(
    settings: Settings,
    stage: str,
    array: str,
    network: str,
    trained: str,
    load: Callable[[], Work] = not_runnable,
) -> CaseStage:
    """Masks by a U-Net whose weights have the fingerprint ``trained``."""
    return CaseStage(
        name=stage,
        inputs=("image",),
        outputs=(array,),
        made_from={**settings_used(settings, *INFERENCE), network: trained},
        load=load,
    )


def classifier_splits(settings: Settings) -> tuple[str, ...]:
    """The splits that a classifier's training reads: valid only where it chooses the epoch."""
    return ("train", "valid") if settings.classifier.select == "best" else ("train",)


def classifier_origin(
    project: Project, cases: Sequence[CaseArrays], inputs: Sequence[str]
) -> dict[str, str]:
    """What determines a classifier: settings, seed, and each case's inputs."""
    origin = settings_used(
        project.settings, "classifier", "window", "label.model", "label.pretrained", "seed"
    )
    for case in cases:
        for name in inputs:
            if seal := case.seal(name):
                origin[f"{case.info.split}/{case.info.name}/{name}"] = seal.fingerprint
    return origin


def raw_origin(project: Project, cases: Sequence[CaseArrays]) -> dict[str, str]:
    """What determines ``classifier-raw``."""
    return classifier_origin(project, cases, ("image", "labels/tumour"))


def amda_origin(project: Project, cases: Sequence[CaseArrays]) -> dict[str, str]:
    """What determines ``classifier-amda``."""
    return {
        **classifier_origin(project, cases, ("image", "labels/tumour", "cams/raw")),
        **settings_used(project.settings, "amda"),
    }


def start_of_round2(project: Project) -> Checkpoint | None:
    """The network whose weights round 2 starts from; None when it starts from scratch."""
    going_on = project.settings.s3f.start == "round1"
    return Checkpoint(project.checkpoints, "unet-round1") if going_on else None


def unet_origin(
    project: Project, cases: Sequence[CaseArrays], labels: str, start: Checkpoint | None = None
) -> dict[str, str]:
    """What determines a U-Net: its settings, the seed, what it starts from, each case's image and label."""
    used = settings_used(project.settings, "unet", "seed")
    left_out = set(INFERENCE)
    if start is not None:
        used |= settings_used(project.settings, *GOING_ON)
        used[start.name] = fingerprint(start.made_from() or {})
        left_out |= {"unet.epochs", "unet.learning_rate"}
    origin = {key: value for key, value in used.items() if key not in left_out}
    for case in cases:
        if case.info.split == "train" or project.settings.unet.select == "best":
            for array in ("image", labels):
                if seal := case.seal(array):
                    origin[f"{case.info.split}/{case.info.name}/{array}"] = seal.fingerprint
    return origin


def present_rows(cases: Sequence[CaseArrays]) -> dict[str, str]:
    """The rows that at least half of the cases have; a few that lack one are failed cases."""
    having = {row: sum(case.seal(array) is not None for case in cases) for row, array in ROWS.items()}
    return {row: ROWS[row] for row, count in having.items() if count and 2 * count >= len(cases)}


def evaluation_origin(
    project: Project, cases: Sequence[CaseArrays], rows: Mapping[str, str]
) -> dict[str, str]:
    """What determines an evaluation: the references and the measured arrays."""
    origin = {**settings_used(project.settings, "roi"), "revision": str(EVALUATION_REVISION)}
    for case in cases:
        origin[f"{case.info.name}/reference"] = project.references.fingerprint(case.info)
        for array in rows.values():
            if seal := case.seal(array):
                origin[f"{case.info.name}/{array}"] = seal.fingerprint
    return origin


def why_measured_anew(stored: Mapping[str, Any] | None, origin: Mapping[str, str]) -> str:
    """Why an evaluation is not up to date with what it would be made from now; empty when it is."""
    if not stored:
        return "not measured yet"
    if stored.get("revision", 1) != EVALUATION_REVISION:
        return "measured by an older version, on the brain's crop alone"
    if stored["fingerprint"] != fingerprint(origin):
        return "masks, references or roi changed"
    return ""
