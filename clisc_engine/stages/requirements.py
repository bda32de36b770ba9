"""What a training needs from earlier stages, checked before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from clisc_engine.errors import BadInput, Home, MissingStage
from clisc_engine.files.words import shell_word
from clisc_engine.models.clip_file import find_clip
from clisc_engine.models.clip_tower import check_models, check_tower
from clisc_engine.models.held import check_model
from clisc_engine.models.sam_input import check_sam_input
from clisc_engine.models.weights import check_whole, find, sam_path
from clisc_engine.products import graph
from clisc_engine.products.graph import MADE_BY, NETWORKS, STAGES
from clisc_engine.products.kinds import Array, Network
from clisc_engine.project import manifest
from clisc_engine.project.case_record import SPLITS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.settings.keys import value_of
from clisc_engine.settings.presets import check_classifier, check_prompts, check_unet, files_not_read
from clisc_engine.settings.schema import TINY, Settings
from clisc_engine.stages import recipes

_CLASSIFIERS, _UNETS = {"cam", "amda"}, {"train", "self-train"}
_CHECKS: tuple[tuple[set[str], Callable[[Settings], None]], ...] = (
    ({"label", *_CLASSIFIERS}, check_models),
    ({"label", *_CLASSIFIERS}, check_prompts),
    (_CLASSIFIERS, check_classifier),
    (_CLASSIFIERS, check_tower),
    ({"prompt-sam", "self-train"}, check_sam_input),
    (_UNETS, check_unet),
)
"""What refuses settings whatever the cases are, and for which stages."""


def refuse_a_choice(control: Control, stage: str, root: Path) -> None:
    """Refuse to train on chosen cases alone: that would be another training.

    Args:
        control: of the call.
        stage: the training.
        root: the project's folder.

    Raises:
        BadInput: when the call names cases.
    """
    if control.cases:
        raise BadInput(
            f"{stage} is a training and takes the whole train split; leave --cases out. A case that cannot "
            f"be mended is taken out of the project with {Home(root).in_words('cases remove', 'CASE')}."
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


def require(project: Project, array: str, *, splits: tuple[str, ...] = ("train",)) -> list[CaseArrays]:
    """The cases of these splits that have the array, which every case of the first split must have.

    Raises:
        BadInput: when the split has no case at all.
        MissingStage: when one of its cases lacks the array.
    """
    cases, split = project.cases(splits), splits[0]
    if not any(case.info.split == split for case in cases):
        home = Home(project.base.root)
        more = home.in_words(f"cases add --to {split} --images IMAGES")
        raise BadInput(
            f"The {split} split is empty, so there is nothing to learn from; {home.moving(split)} puts "
            f"cases there, and {more} imports further ones."
        )
    return _having(cases, array, split)


def require_validation(project: Project, array: str, *, setting: str) -> list[CaseArrays]:
    """The valid cases, which must all have the array, for a training whose ``setting`` is best.

    Raises:
        BadInput: when the valid split has no case at all.
        MissingStage: when one of its cases lacks the array.
    """
    cases = project.cases(("valid",))
    if not cases:
        raise BadInput(_no_valid_case(setting, _moving(project)))
    return _having(cases, array, "valid")


def check_before(project: Project, stages: Sequence[str]) -> None:
    """Refuse stages of which one could not be done, before the hours of those that come first.

    Raises:
        BadInput: naming the settings that do not fit each other, or the project's cases.
    """
    if faults := faults_of(project, project.settings, stages):
        raise BadInput(faults[0])


def check_settings(settings: Settings, stages: Sequence[str], splits: Collection[str] = SPLITS) -> None:
    """Refuse settings with which one of the stages could not be done.

    Args:
        settings: of a project to come.
        stages: that it is made for.
        splits: those that its cases are in, as far as that is known.

    Raises:
        BadInput: naming those that do not fit each other, or the cases.
    """
    remedy = "put cases there (--split-ratio 7:1:2, or --split FILE.csv)"
    for fault in (*_faults(settings, stages, splits, remedy), *files_not_read(settings)):
        raise BadInput(fault)


def check_change(project: Project, settings: Settings) -> list[str]:
    """Refuse settings that would keep a step from being done which the present ones do not.

    So it is with a weight file that no step would read. What cannot be done already is no reason: else
    two faults could be mended only at once.

    Args:
        project: a project or a variant.
        settings: what its settings, or a variant's over it, are to be.

    Returns:
        Why a step cannot be done, with the settings that are there as with these.

    Raises:
        BadInput: naming those that do not fit each other, or the project's cases.
    """
    before = faults_of(project, project.settings)
    now = faults_of(project, settings)
    before += files_not_read(project.settings)
    if new := [fault for fault in [*now, *files_not_read(settings)] if fault not in before]:
        raise BadInput(f"{' '.join(new)} No setting was changed.")
    return now


def faults_of(project: Project, settings: Settings, stages: Sequence[str] = STAGES) -> list[str]:
    """Why one of the stages could not be done with these settings and the project's cases, one each."""
    splits = {case.info.split for case in project.cases()}
    return [*_faults(settings, stages, splits, _moving(project))]


def find_weights(project: Project, stages: Sequence[str]) -> None:
    """Look for each weight file that the stages need, a classifier's where it is not trained yet.

    Raises:
        MissingWeights: when one is not on this machine, before any of the stages has begun.
        BadInput: when one was cut, as by a download that broke off, or is another model's, as far as its
            weights' shapes tell.
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
        _check(find(own, classifier.backbone), classifier.backbone)
    if "sam" in weights and settings.sam.model != TINY:
        _check(sam_path(settings.sam.model, settings.sam.checkpoint), settings.sam.model)


def _check(path: Path, kind: str) -> None:
    """Refuse a weight file that is cut, or another model's."""
    check_whole(path)
    check_model(path, kind)


def _faults(
    settings: Settings, stages: Sequence[str], splits: Collection[str], remedy: str
) -> Iterator[str]:
    """Why one of the stages could not be done; ``remedy`` is how cases get into an empty split."""
    for makers, check in _CHECKS:
        if makers & {*stages}:
            try:
                check(settings)
            except BadInput as fault:
                yield str(fault)
    for makers, setting in ((_CLASSIFIERS, "classifier.select"), (_UNETS, "unet.select")):
        if makers & {*stages} and value_of(settings, setting) == "best" and "valid" not in splits:
            yield _no_valid_case(setting, remedy)


def _no_valid_case(setting: str, remedy: str) -> str:
    return (
        f"{setting} = best chooses the epoch on the valid split, which is empty; give {setting}=last, or "
        f"{remedy}."
    )


def _moving(project: Project) -> str:
    return f"move cases there with {project.store.home.moving('valid')}"


def training_cases(project: Project, classifier: str) -> list[CaseArrays]:
    """The cases that a classifier's training reads: valid ones only where they choose the epoch.

    Raises:
        BadInput: when a split that it reads is empty.
        MissingStage: when one of its cases lacks what the classifier learns from.
    """
    array, setting = NETWORKS[classifier].inputs[-1], NETWORKS[classifier].select_setting
    cases = require(project, array)
    if "valid" not in recipes.splits_of(project.settings, classifier):
        return cases
    return cases + require_validation(project, array, setting=setting)


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
