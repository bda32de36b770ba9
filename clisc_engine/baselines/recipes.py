"""What each row of Table 1 is made from, told without a voxel: `clisc status` asks this too."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.files.reading import read_if_there
from clisc_engine.files.words import counted
from clisc_engine.products.graph import TABLES, revisions
from clisc_engine.products.kinds import LABELS
from clisc_engine.products.rivals import (
    CONSTANT_THRESHOLDS,
    GOES_ON_FROM,
    TABLE1_ROWS,
    map_of,
    network_of,
    threshold_of,
)
from clisc_engine.project.fingerprint import fingerprint, settings_used
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.spec import CaseSpec
from clisc_engine.stages import recipes
from clisc_engine.stages.requirements import require

HELD_OUT_AT_MOST = 20
"""So many cases serve the threshold at most: a method that fits each one anew takes its time."""


@dataclass(frozen=True)
class Parts:
    """The train cases that may hold normal slices, in two parts.

    Attributes:
        learnt: those that a method learns from.
        held_out: those that give its threshold, since maps of slices that were learned are too quiet.
    """

    learnt: list[CaseArrays]
    held_out: list[CaseArrays]


@dataclass(frozen=True)
class Threshold:
    """The threshold of a row's maps as it is kept.

    Attributes:
        value: a voxel over it is marked.
        rule: how it was chosen.
        slices: how many slices chose it.
        cases: how many cases they are of.
        fingerprint: of all that it was made from.
    """

    value: float
    rule: str
    slices: int
    cases: int
    fingerprint: str


def parts(project: Project) -> Parts:
    """The two parts, drawn by the project's seed.

    Raises:
        BadInput: when there are fewer than two such cases, or a named one is not in the train split.
        MissingStage: when train cases lack CLIP's labels.
    """
    settings = project.settings.baselines
    cases = _candidates(project)
    if len(cases) < 2:
        named = "; name them in baselines.normal_cases" if settings.normal == "cases" else ""
        raise BadInput(
            f"Only {counted(len(cases), 'train case')} can give normal slices (baselines.normal = "
            f"{settings.normal}); an anomaly method needs two at least, one to learn from and one for its "
            f"threshold{named}."
        )
    count = min(HELD_OUT_AT_MOST, max(1, round(settings.held_out * len(cases))))
    order = sorted(cases, key=lambda case: _drawn(project.settings.seed, case))
    chosen = {case.info.name for case in order[:count]}
    return Parts(
        [case for case in cases if case.info.name not in chosen],
        [case for case in cases if case.info.name in chosen],
    )


def network(project: Project, row: str, learnt: Sequence[CaseArrays]) -> dict[str, str]:
    """What determines a row's network."""
    name = network_of(row)
    chosen_by = "valid" in recipes.splits_of(project.settings, name)
    valid = project.cases(("valid",)) if chosen_by else []
    made_from = recipes.network(project, name, [*learnt, *valid])
    made_from |= {f"train/{name}": mark for name, mark in _references(project, learnt).items()}
    if row in GOES_ON_FROM:
        before = project.checkpoint(network_of(GOES_ON_FROM[row]))
        made_from[before.name] = fingerprint(before.made_from() or {})
    return made_from


def held_out_choose(project: Project, row: str) -> bool:
    """Whether held-out cases choose the threshold: it is neither a number nor each volume's own."""
    return row not in CONSTANT_THRESHOLDS and project.settings.baselines.threshold in ("normal", "agree")


def threshold_provenance(project: Project, row: str, held_out: Sequence[CaseArrays]) -> dict[str, str]:
    """What determines a threshold: the settings, and the held-out cases' maps, labels and references.

    References count where they say which slices are normal, and these choose it.
    """
    name = threshold_of(row)
    used = settings_used(project.settings, *TABLES[name].settings)
    for case in held_out:
        for array in (map_of(row), LABELS):
            if stamp := case.stamp(array):
                used[f"{case.info.identity}/{array}"] = stamp.fingerprint
    if project.settings.baselines.threshold == "normal":
        used |= _references(project, held_out)
    return used | revisions(name)


def kept_threshold(project: Project, row: str) -> Threshold | None:
    """The threshold that was chosen for a row's maps; None when there is none, or none that is whole."""
    text = read_if_there(project.file(threshold_of(row)))
    try:
        found = Threshold(**json.loads(text or b""))
    except (ValueError, TypeError, RecursionError):
        return None
    return found if isinstance(found.value, float) and math.isfinite(found.value) else None


def why_not_chosen(project: Project, row: str, held_out: Sequence[CaseArrays]) -> str:
    """Why the threshold that held-out cases chose is not what they would choose now; else empty."""
    if not held_out_choose(project, row):
        return ""
    kept = kept_threshold(project, row)
    if kept is None:
        return f"{threshold_of(row)} is missing"
    made_from = threshold_provenance(project, row, held_out)
    if kept.fingerprint == fingerprint(made_from):
        return ""
    given = "references" if project.settings.baselines.normal == "reference" else "labels"
    return f"settings, {given} or held-out maps changed"


def masks(project: Project, row: str) -> CaseSpec:
    """What a row's masks are made from: its maps, and the threshold's value itself."""
    spec = recipes.array(project.settings, TABLE1_ROWS[row])
    value = threshold_value(project, row)
    used: Mapping[str, str] = {"threshold": "otsu" if value is None else repr(value)}
    return replace(spec, made_from={**spec.made_from, **used})


def threshold_value(project: Project, row: str) -> float | None:
    """The number that cuts a row's maps; None for each volume's own.

    Raises:
        MissingStage: when held-out cases choose it and have not yet.
    """
    if row in CONSTANT_THRESHOLDS:
        return CONSTANT_THRESHOLDS[row]
    setting = project.settings.baselines.threshold
    if not isinstance(setting, str):
        return float(setting)
    if not held_out_choose(project, row):
        return None
    kept = kept_threshold(project, row)
    if kept is None:
        command = TABLES[threshold_of(row)].command
        raise MissingStage(
            f"{threshold_of(row)} is not there yet; run {project.store.home.in_words(command)} first.",
            command=command,
            home=project.store.home,
        )
    return kept.value


def _references(project: Project, cases: Sequence[CaseArrays]) -> dict[str, str]:
    """Fingerprints of the references that say which slices are normal; none where none does."""
    if project.settings.baselines.normal != "reference":
        return {}
    return {f"{case.info.identity}/reference": project.references.fingerprint(case.info) for case in cases}


def _candidates(project: Project) -> list[CaseArrays]:
    """The train cases that may hold normal slices."""
    settings = project.settings.baselines
    train = project.cases(("train",))
    if settings.normal == "reference":
        return [case for case in train if case.info.has_reference]
    if settings.normal == "clip":
        return require(project, LABELS)
    named = set(settings.normal_cases)
    if unknown := sorted(named - {case.info.name for case in train}):
        raise BadInput(f"baselines.normal_cases names {', '.join(unknown)}, which are no train cases.")
    return [case for case in train if case.info.name in named]


def _drawn(seed: int, case: CaseArrays) -> str:
    """A case's place in the draw: by its name, so that a further case changes few others' parts."""
    return fingerprint({"seed": str(seed), "case": case.info.identity})
