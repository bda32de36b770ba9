"""What a training needs from earlier stages, checked before anything is done."""

from __future__ import annotations

from collections.abc import Sequence

from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.files.words import shell_word
from clisc_engine.models.clip_file import find_clip
from clisc_engine.models.clip_tower import check_tower
from clisc_engine.models.weights import check_whole, find, sam_path
from clisc_engine.products import graph
from clisc_engine.products.graph import MADE_BY, NETWORKS
from clisc_engine.products.kinds import Array, Network
from clisc_engine.project import manifest
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.settings.presets import check_classifier, check_unet
from clisc_engine.settings.schema import Settings
from clisc_engine.stages import recipes


def refuse_a_choice(control: Control, stage: str) -> None:
    """Refuse to train on chosen cases alone: that would be another training.

    Raises:
        BadInput: when the call names cases.
    """
    if control.cases:
        raise BadInput(
            f"{stage} is a training and takes the whole train split; leave --cases out. A case that cannot "
            "be mended is taken out of the project with `clisc cases remove`."
        )


def refuse_lost_cases(project: Project, network: str) -> None:
    """Refuse to train a network anew while a case that it may learn from is lost: it would be another one.

    Raises:
        BadInput: naming them.
    """
    listed = manifest.read(project.base.store)
    known = listed.cases if listed else {}
    lost = {
        name: why
        for name, why in project.lost_cases().items()
        if name not in known or known[name].split in recipes.splits_of(project.settings, network)
    }
    if lost:
        name, why = next(iter(lost.items()))
        raise BadInput(
            f"{network} is not trained while {len(lost)} of its cases are lost, first {name}: {why}. "
            f"`clisc verify {shell_word(project.base.root)} --repair` has it again if it can; "
            f"`clisc cases remove {shell_word(project.base.root)} {name}` goes on without it."
        )


def require(cases: Sequence[CaseArrays], array: str, *, split: str) -> list[CaseArrays]:
    """The cases that have the array, which every case of ``split`` must have.

    Raises:
        BadInput: when the split has no case at all.
        MissingStage: when one of its cases lacks the array.
    """
    wanted = [case for case in cases if case.info.split == split]
    if not wanted:
        raise BadInput(
            f"The {split} split is empty, so there is nothing to learn from; `clisc cases move` puts cases "
            f"there, and `clisc cases add --to {split}` imports further ones."
        )
    return _having(cases, array, split)


def require_validation(cases: Sequence[CaseArrays], array: str, *, setting: str) -> list[CaseArrays]:
    """The valid cases, which must all have the array, for a training whose ``setting`` is best.

    Raises:
        BadInput: when the valid split has no case at all.
        MissingStage: when one of its cases lacks the array.
    """
    _refuse_no_valid_case(cases, setting)
    return [case for case in _having(cases, array, "valid") if case.info.split == "valid"]


def check_before(project: Project, stages: Sequence[str]) -> None:
    """Refuse stages of which one could not be done, before the hours of those that come first.

    Raises:
        BadInput: naming the settings that do not fit each other, or the project's cases.
    """
    check_settings(project.settings, stages)
    _check_valid_split(project, stages)


def check_settings(settings: Settings, stages: Sequence[str]) -> None:
    """Refuse settings with which one of the stages could not be done, whatever the cases are.

    Raises:
        BadInput: naming those that do not fit each other.
    """
    if {"cam", "amda"} & {*stages}:
        check_classifier(settings)
        check_tower(settings)
    if "train" in stages:
        check_unet(settings)


def find_weights(project: Project, stages: Sequence[str]) -> None:
    """Look for each weight file that the stages need, a classifier's where it is not trained yet.

    Raises:
        MissingWeights: when one is not on this machine, before any of the stages has begun.
        BadInput: when one was cut, as by a download that broke off.
    """
    settings = project.settings
    classifier, made = settings.classifier, [one for stage in stages for one in graph.made_in(stage)]
    weights = {name for one in made if isinstance(one, Array) for name in one.weights}
    if "clip" in weights:
        for model, pretrained in settings.label.clips():
            check_whole(find_clip(model, pretrained))
    untrained = any(
        isinstance(one, Network)
        and "classifier" in one.settings
        and project.checkpoint(one.name).made_from() is None
        for one in made
    )
    if untrained and classifier.backbone != "clip" and classifier.pretrained != "none":
        own = "" if classifier.pretrained == "imagenet" else classifier.pretrained
        check_whole(find(own, classifier.backbone))
    if "sam" in weights:
        check_whole(sam_path(settings.sam.model, settings.sam.checkpoint))


def _check_valid_split(project: Project, stages: Sequence[str]) -> None:
    """Refuse stages of which a training is to choose its epoch on a valid split without a case."""
    classifiers, unets = {"cam", "amda"} & {*stages}, {"train", "self-train"} & {*stages}
    if classifiers and project.settings.classifier.select == "best":
        _refuse_no_valid_case(project.cases(), "classifier.select")
    if unets and project.settings.unet.select == "best":
        _refuse_no_valid_case(project.cases(), "unet.select")


def _refuse_no_valid_case(cases: Sequence[CaseArrays], setting: str) -> None:
    if not any(case.info.split == "valid" for case in cases):
        raise BadInput(
            f"{setting} = best chooses the epoch on the valid split, which is empty; set "
            f"{setting}=last, or move cases there with `clisc cases move`."
        )


def training_cases(project: Project, classifier: str) -> list[CaseArrays]:
    """The cases that a classifier's training reads: valid ones only where they choose the epoch.

    Raises:
        BadInput: when a split that it reads is empty.
        MissingStage: when one of its cases lacks what the classifier learns from.
    """
    array, setting = NETWORKS[classifier].inputs[-1], NETWORKS[classifier].select_setting
    cases = require(project.cases(("train",)), array, split="train")
    if "valid" not in recipes.splits_of(project.settings, classifier):
        return cases
    return cases + require_validation(project.cases(("valid",)), array, setting=setting)


def _having(cases: Sequence[CaseArrays], array: str, split: str) -> list[CaseArrays]:
    """The cases that have the array; none of the split may lack it."""
    having = [case for case in cases if case.stamp(array) is not None]
    names = {case.info.name for case in having}
    lacking = [case for case in cases if case.info.split == split and case.info.name not in names]
    if not lacking:
        return having
    command, first, home = MADE_BY[array], lacking[0].info.name, lacking[0].store.home
    removal = f"clisc cases remove {shell_word(home.project)} {first}"
    count = sum(case.info.split == split for case in cases)
    if len(lacking) == count:
        raise MissingStage(
            f"No case of the {split} split has {array}; run {home.in_words(command)} first.",
            command=command,
            home=home,
        )
    some = ", ".join(case.info.name for case in lacking[:5]) + (" ..." if len(lacking) > 5 else "")
    raise MissingStage(
        f"{len(lacking)} of the {count} {split} cases lack {array}: {some}. Without them it would be "
        f"another training, so it does not begin: run {home.in_words(command)}, or take a case that "
        f"cannot be mended out of the project, e.g. with `{removal}`.",
        command=command,
        home=home,
    )
