"""The one runner of per-case work: resume, skipping, failure isolation and progress."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clisc_engine.control import Control
from clisc_engine.errors import BadInput, DiskFault, MissingStage, Stopped
from clisc_engine.fingerprint import difference, fingerprint
from clisc_engine.project import MADE_BY, CaseArrays
from clisc_engine.store import Seal

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]
Work: TypeAlias = Callable[[CaseArrays, Arrays], Arrays]
"""Does one case: gets the case and its input arrays, returns its output arrays by name."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CaseStage:
    """A stage that treats each case by itself.

    Attributes:
        name: the command's name, kept in seals.
        inputs: arrays that a case needs.
        outputs: arrays that a case gets.
        made_from: settings and weights that determine the outcome, by name.
        load: loads the models and returns the work for one case; called once, and only when some
            case has work to do.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    made_from: Mapping[str, str]
    load: Callable[[], Work]


@dataclass
class Report:
    """What a stage did, by case name."""

    stage: str
    done: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    planned: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def run_cases(stage: CaseStage, cases: Sequence[CaseArrays], control: Control) -> Report:
    """Run a stage on the cases that lack a fresh result.

    A case that raises is recorded with its error and the others go on.

    Raises:
        MissingStage: when no case has the stage's inputs.
        Stopped: when asked to stop; finished cases are kept.
    """
    started = time.monotonic()
    report = Report(stage.name)
    todo: list[CaseArrays] = []
    for case in _chosen(cases, control):
        if missing := [name for name in stage.inputs if case.seal(name) is None]:
            report.failed[case.info.name] = missing_message(case, missing[0])
        elif (reason := why_not_fresh(stage, case)) or control.force:
            report.planned[case.info.name] = reason or "forced"
            todo.append(case)
        else:
            report.fresh.append(case.info.name)
    if report.failed and not todo and not report.fresh:
        raise MissingStage(next(iter(report.failed.values())))
    if todo and not control.dry_run:
        _run(stage, todo, report, control)
    report.seconds = time.monotonic() - started
    return report


def made_from(stage: CaseStage, case: CaseArrays) -> dict[str, str]:
    """All that determines a case's outcome: the stage's own part and the inputs' fingerprints."""
    inputs = {name: seal.fingerprint for name in stage.inputs if (seal := case.seal(name))}
    return {**stage.made_from, **inputs}


def why_not_fresh(stage: CaseStage, case: CaseArrays) -> str:
    """Empty when all outputs are sealed with the fingerprint they would get now, else the reason."""
    expected = made_from(stage, case)
    for name in stage.outputs:
        seal = case.seal(name)
        if seal is None:
            return f"{name} is missing"
        if seal.fingerprint != fingerprint(expected):
            return difference(seal.made_from, expected)
    return ""


def _run(stage: CaseStage, todo: list[CaseArrays], report: Report, control: Control) -> None:
    work = stage.load()
    control.progress.begin(stage.name, len(todo), "case")
    try:
        with ThreadPoolExecutor(max_workers=1) as reader:
            ahead = reader.submit(_read, stage, todo[0])
            for index, case in enumerate(todo):
                control.check_stop()
                current = ahead
                if index + 1 < len(todo):
                    ahead = reader.submit(_read, stage, todo[index + 1])
                _run_case(stage, case, work, current.result, report)
                control.progress.advance(case.info.name)
    finally:
        control.progress.end()


def _run_case(
    stage: CaseStage,
    case: CaseArrays,
    work: Work,
    inputs: Callable[[], Arrays],
    report: Report,
) -> None:
    started = time.monotonic()
    name = case.info.name
    try:
        outputs = work(case, inputs())
        origin = made_from(stage, case)
        seconds = time.monotonic() - started
        for array in stage.outputs:
            seal = Seal.now(stage.name, fingerprint(origin), origin, seconds)
            case.write(array, np.ascontiguousarray(outputs[array]), seal)
        report.done.append(name)
    except (Stopped, DiskFault):
        raise
    except Exception as error:
        log.debug("case %s failed in %s", name, stage.name, exc_info=True)
        report.failed[name] = str(error) or type(error).__name__


def _read(stage: CaseStage, case: CaseArrays) -> Arrays:
    return {name: case.read(name) for name in stage.inputs}


def _chosen(cases: Sequence[CaseArrays], control: Control) -> list[CaseArrays]:
    names = {case.info.name for case in cases}
    if unknown := [name for name in control.cases if name not in names]:
        raise BadInput(
            f"No case {', '.join(unknown)} among those of this stage; "
            f"there are {', '.join(sorted(names)[:8]) or 'none'}{' ...' if len(names) > 8 else ''}."
        )
    return [case for case in cases if not control.cases or case.info.name in control.cases]


def missing_message(case: CaseArrays, array: str) -> str:
    """That a case lacks an array, and the command that makes it."""
    command = MADE_BY.get(array, "init")
    return f"Case {case.info.name} has no {array} yet; run `clisc {command}` first."
