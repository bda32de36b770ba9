"""A rival that learns what is normal: its network, its maps, their threshold, and the masks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from clisc_engine.baselines import recipes, thresholds
from clisc_engine.baselines.method import MapRow
from clisc_engine.baselines.normal import check_enough, normal_slices
from clisc_engine.core.thresholds import cut
from clisc_engine.errors import BadInput
from clisc_engine.products.kinds import IMAGE, LABELS
from clisc_engine.products.rivals import TABLE1_ROWS, map_of, network_of, threshold_of
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Arrays, Report, run_cases, training_report
from clisc_engine.stages import recipes as stage_recipes
from clisc_engine.training.state import why_train

MethodOf: TypeAlias = Callable[[str], MapRow]
"""The method of a row, whose networks are imported with it."""


def run_rows(
    command: str,
    rows: Sequence[str],
    method_of: MethodOf,
    project: Project,
    control: Control,
    splits: tuple[str, ...],
) -> Report:
    """Run the rows of a method one after the other; each as `run_row` does, in one report."""
    started = time.monotonic()
    reports = [run_row(row, method_of, project, control, splits) for row in rows]
    return Report(
        command,
        done=list(dict.fromkeys(name for one in reports for name in one.done)),
        fresh=[
            n
            for n in dict.fromkeys(name for one in reports for name in one.fresh)
            if not any(n in one.done for one in reports)
        ],
        failed={name: why for one in reports for name, why in one.failed.items()},
        planned={name: why for one in reports for name, why in one.planned.items()},
        seconds=time.monotonic() - started,
    )


def run_row(
    row: str, method_of: MethodOf, project: Project, control: Control, splits: tuple[str, ...]
) -> Report:
    """Train the row's network if it is not fresh, map the cases of the splits, and cut the maps.

    Returns:
        What became of the masks and of the network, which stands in the place of a case.

    Raises:
        BadInput: when there is too little that is normal to learn from.
        MissingStage: when CLIP's labels are lacking.
    """
    started = time.monotonic()
    network = network_of(row)
    train = recipes.parts(project)
    everyone = replace(control, cases=())
    reason = _train(row, method_of, project, train.learnt, everyone)
    report = training_report(f"baseline {row}", network, reason, control, started)
    maps = Maps(row, method_of, project, control, retrain=reason)
    calibrating = recipes.held_out_choose(project, row)
    if calibrating:
        _add(report, run_cases(maps, train.held_out, everyone), masks=False)
    cases = project.cases(splits)
    mapped = run_cases(maps, cases, control)
    _add(report, mapped, masks=False)
    if control.dry_run and not report.planned:
        why = recipes.why_not_chosen(project, row, train.held_out)
        report.planned |= {threshold_of(row): why} if why else {}
    if not (control.dry_run and report.planned):
        if calibrating:
            _choose_threshold(row, project, train.held_out, report.failed, everyone)
        having = [case for case in cases if case.info.name in (*mapped.done, *mapped.fresh)]
        _add(report, run_cases(Masks(row, project), having, everyone), masks=True)
    report.seconds = time.monotonic() - started
    return report


def _train(
    row: str, method_of: MethodOf, project: Project, learnt: Sequence[CaseArrays], control: Control
) -> str:
    """Train the network if it is not what it would become; why it was trained, else empty."""
    network = network_of(row)
    made_from = recipes.network(project, row, learnt)
    reason = why_train(project.checkpoint(network), made_from, control, extensible=False)
    if reason and not control.dry_run:
        normal = normal_slices(project, learnt, control, purpose=network)
        check_enough(normal, project, network)
        method_of(row).train(project, network, normal, made_from, control)
    return reason


def _choose_threshold(
    row: str,
    project: Project,
    held_out: Sequence[CaseArrays],
    failed: Mapping[str, str],
    control: Control,
) -> None:
    """``failed`` says why cases could not be mapped."""
    having = [case for case in held_out if case.seal(map_of(row)) is not None]
    if not having:
        names = (case.info.name for case in held_out)
        why = next((f" {name}: {failed[name]}" for name in names if name in failed), "")
        raise BadInput(f"{row}: no held-out case could be mapped, so its maps have no threshold.{why}")
    control.ranks.share(lambda: thresholds.choose(project, row, having, control))


def _add(report: Report, part: Report, *, masks: bool) -> None:
    """Add what became of some cases; of maps only what failed or is planned counts."""
    report.failed |= part.failed
    report.planned |= part.planned
    if masks:
        report.done += part.done
        report.fresh += part.fresh


class Maps:
    """A row's maps (Z, Y, X) float16 of one case after the other."""

    def __init__(
        self, row: str, method_of: MethodOf, project: Project, control: Control, *, retrain: str = ""
    ) -> None:
        """Look at the checkpoint, but load nothing yet; ``retrain`` is why a dry run would train first."""
        self.row, self.method_of, self.project, self.control = row, method_of, project, control
        checkpoint = project.checkpoint(network_of(row))
        untrained = control.dry_run and retrain
        trained = f"untrained: {retrain}" if untrained else checkpoint.fingerprint()
        self.spec = stage_recipes.array(project.settings, map_of(row), trained=trained)

    def load(self) -> None:
        """Load the network."""
        self.mapper = self.method_of(self.row).mapper(self.project, network_of(self.row), self.control)
        self.mapper.load()

    def run_case(self, case: CaseArrays, arrays: Arrays) -> Arrays:
        """The map of an image (Z, Y, X)."""
        image = arrays[IMAGE]
        found = self.mapper.map(image, case.info.spacing, case.info.identity)
        largest = float(np.finfo(np.float16).max)
        limited = np.clip(found, -largest, largest).astype(np.float16)
        return {map_of(self.row): np.where(image != 0, limited, np.float16(0))}


class Masks:
    """A row's masks (Z, Y, X) uint8: where the map is over the threshold."""

    def __init__(self, row: str, project: Project) -> None:
        """Look up the threshold."""
        self.row, self.gate = row, project.settings.baselines.gate
        self.spec = recipes.masks(project, row)
        self.value = recipes.threshold_value(project, row)

    def load(self) -> None:
        """Nothing is needed."""

    def run_case(self, _case: CaseArrays, arrays: Arrays) -> Arrays:
        """The mask of a map (Z, Y, X)."""
        found, brain = arrays[map_of(self.row)], arrays[IMAGE] != 0
        value = thresholds.of_volume(found, brain) if self.value is None else self.value
        mask = cut(found, brain, value, arrays[LABELS] if self.gate else None)
        return {TABLE1_ROWS[self.row]: mask.astype(np.uint8)}
