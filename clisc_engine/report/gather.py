"""The words and numbers of a report, without its pictures; no volume and no reference is read here."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from clisc_engine.core.labelling import NORMAL, TUMOUR, UNCERTAIN
from clisc_engine.errors import BadInput, Unreadable
from clisc_engine.products.declared import ROWS
from clisc_engine.products.graph import MADE_BY, NETWORKS, STAGES
from clisc_engine.products.kinds import LABELS
from clisc_engine.project.case_record import SPLITS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.project.variants import name_of
from clisc_engine.report.choose import Ranking, ranking_of
from clisc_engine.report.made_with import versions_here, weights_behind
from clisc_engine.running import journal
from clisc_engine.running.device import NO_NETWORK
from clisc_engine.settings.help import explain
from clisc_engine.settings.keys import known_keys, value_of
from clisc_engine.settings.presets import preset
from clisc_engine.stages.evaluation import tables as evaluation_tables
from clisc_engine.stages.evaluation.staleness import mark_rows
from clisc_engine.stages.s3f import table as s3f_table
from clisc_engine.stages.trust import table as trust_table
from clisc_engine.sweeps import record as sweep_record
from clisc_engine.sweeps.overview import outdated
from clisc_engine.upkeep.at_work import note_work
from clisc_engine.upkeep.status import StageStatus, next_stage
from clisc_engine.upkeep.survey import survey

TRAININGS = tuple(name for name in NETWORKS if MADE_BY[name] in STAGES)


@dataclass(frozen=True)
class StageLine:
    """One stage in a line.

    Attributes:
        stage: its name.
        state: fresh, stale, partly, missing or impossible.
        done: how many cases (or networks) are up to date.
        total: of how many.
        unit: what is counted: case, network or table.
        why: why it is not fresh.
        when: when the newest of it was made, UTC; empty when nothing was.
        seconds: what all of it took.
        device: where it last ran.
        trouble: how its last run ended, when it did not end well.
    """

    stage: str
    state: str
    done: int
    total: int
    unit: str
    why: str
    when: str
    seconds: float
    device: str
    trouble: str


@dataclass(frozen=True)
class SettingLine:
    """A setting: its value, the preset's, whether they differ, and what it means."""

    key: str
    value: str
    preset: str
    changed: bool
    meaning: str


@dataclass(frozen=True)
class Story:
    """All that a report says in words and numbers.

    Attributes:
        project: name of the project's folder.
        options: what a command needs to work there, beside the folder.
        weights: tiny or paper.
        made: when the report was made.
        seed: of the project.
        splits: how many cases each split has.
        stages: every stage in order.
        following: the stage to run next; empty when there is none.
        models: name and digest of the weight files that CLIP's and SAM's arrays were made with.
        versions: of clisc, Python and packages, of the report's own making.
        makers: versions of clisc that made the arrays.
        labels: how many slices of all cases are tumour, normal, uncertain; empty until `with_labels`.
        curves: columns of each training's curve.
        kept: similarity of each case that S3F kept.
        dropped: the same of each that it dropped.
        trust: which masks to look at first.
        evaluation: the document of `evaluate`, its rows marked by the settings of now; None before it.
        ranking: the cases from worst to best.
        sweeps: the result of each sweep that is measured at all its values, and what no longer holds of it.
        settings: every setting.
        preset: name of the preset that the settings are compared with.
    """

    project: str
    options: list[str]
    weights: str
    made: str
    seed: int
    splits: dict[str, int]
    stages: list[StageLine]
    following: str
    models: dict[str, str]
    versions: dict[str, str]
    makers: list[str]
    labels: dict[str, int]
    curves: dict[str, dict[str, list[float]]]
    kept: dict[str, float]
    dropped: dict[str, float]
    trust: trust_table.Overview
    evaluation: dict[str, Any] | None
    ranking: Ranking
    sweeps: list[tuple[dict[str, Any], str]]
    settings: list[SettingLine]
    preset: str


def gather(project: Project) -> Story:
    """Everything that the project can tell without opening its arrays."""
    project = project.glance()
    cases = project.cases()
    statuses = survey(project)
    note_work(project, statuses)
    stored = evaluation_tables.load(project)
    evaluation = stored and mark_rows(project, stored, ROWS)
    scores, kept = s3f_table.recorded(project), s3f_table.kept(project)
    trust = trust_table.overview(project)
    splits = Counter(case.info.split for case in cases)
    return Story(
        project=project.base.root.resolve().name
        + (f", variant {name_of(project)}" if project.parent else ""),
        options=project.store.home.options,
        weights=project.settings.made_with,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=project.settings.seed,
        splits={split: splits[split] for split in SPLITS if splits[split]},
        stages=_stages(project, statuses),
        following=next_stage(statuses),
        models=weights_behind(cases),
        versions=versions_here(),
        makers=sorted({seal.version for case in cases if (seal := case.seal("image"))}),
        labels={},
        curves={name: curve for name in TRAININGS if (curve := _curve(project, name))},
        kept={name: score for name, score in scores.items() if name in kept},
        dropped={name: score for name, score in scores.items() if name not in kept},
        trust=trust,
        evaluation=evaluation,
        ranking=ranking_of(evaluation, trust.dsc, scores),
        sweeps=_sweeps(project),
        settings=_settings(project),
        preset=project.settings.weights,
    )


def with_labels(story: Story, cases: Sequence[CaseArrays]) -> Story:
    """The story with the slices' labels counted, for which every case is opened."""
    return replace(story, labels=_labels(cases))


def _sweeps(project: Project) -> list[tuple[dict[str, Any], str]]:
    if project.parent is not None:
        return []  # they are the project's
    found = (sweep_record.result(project, name) for name in sweep_record.sweep_names(project))
    return [(result, outdated(project, result)) for result in found if result]


def _stages(project: Project, statuses: Sequence[StageStatus]) -> list[StageLine]:
    last = {entry.stage: entry for entry in journal.entries(project)}
    lines: list[StageLine] = []
    for status in statuses:
        done, total = status.cases
        entry = last.get(status.stage)
        lines.append(
            StageLine(
                stage=status.stage,
                state=status.state,
                done=done,
                total=total,
                unit=status.unit,
                why=status.why,
                when=status.time,
                seconds=status.seconds or (entry.seconds if entry else 0.0),
                device=_device(entry) if entry else "",
                trouble=entry.outcome if entry and entry.outcome != "done" else "",
            )
        )
    return lines


def _device(entry: journal.Entry) -> str:
    return entry.device if entry.device == NO_NETWORK else f"{entry.device} ({entry.precision})"


def _labels(cases: Sequence[CaseArrays]) -> dict[str, int]:
    """Counted over the cases that can be read; what is damaged is for `verify` to name."""
    counts: Counter[int] = Counter()
    for case in cases:
        if case.seal(LABELS) is not None:
            try:
                counts.update(case.read(LABELS).tolist())
            except Unreadable:
                raise
            except BadInput:
                continue
    names = {"tumour": TUMOUR, "normal": NORMAL, "uncertain": UNCERTAIN}
    return {name: counts[label] for name, label in names.items()} if counts else {}


def _curve(project: Project, name: str) -> dict[str, list[float]]:
    """The columns of a network's curve; empty when there is none, or one that is not whole."""
    path = project.checkpoint(name).curve.of_weights
    if not path.is_file():
        return {}
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    try:
        return {column: [float(row[column]) for row in rows] for column in rows[0]} if rows else {}
    except (TypeError, ValueError):
        return {}


def _settings(project: Project) -> list[SettingLine]:
    usual = preset(project.settings.weights)
    lines: list[SettingLine] = []
    for key in known_keys():
        value, other = value_of(project.settings, key), value_of(usual, key)
        lines.append(SettingLine(key, _text(value), _text(other), value != other, explain(key).meaning))
    return lines


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
