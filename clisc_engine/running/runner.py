"""The one runner of per-case work: resume, skipping, failure isolation and progress."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from clisc_engine.errors import BadInput, DiskFault, MissingStage, Unreadable
from clisc_engine.products.graph import command_for
from clisc_engine.project.fingerprint import difference, fingerprint
from clisc_engine.project.project import CaseArrays
from clisc_engine.project.store import Seal
from clisc_engine.running.control import Control
from clisc_engine.running.isolation import concerns_one_case, in_words
from clisc_engine.running.ranks import WorkQueue
from clisc_engine.running.read_ahead import Ahead, read_ahead

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]
Work: TypeAlias = Callable[[CaseArrays, Arrays], Arrays]
"""Does one case: gets the case and its input arrays, returns its output arrays by name."""

Unit = TypeVar("Unit")
Value = TypeVar("Value")

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
    """Run a stage on the cases that lack a fresh result, shared with the other ranks.

    A case's own error (`isolation`) is recorded and the others go on; any other error ends the stage, and
    the cases done before it are kept. Every rank gets the same report.

    Raises:
        MissingStage: when no case has the stage's inputs.
        Stopped: when asked to stop; finished cases are kept.
    """
    started = time.monotonic()
    chosen = _chosen(cases, control)
    report = Report(**control.ranks.share(lambda: asdict(_planned(stage, chosen, control))))
    if report.failed and not report.planned and not report.fresh:
        raise MissingStage(next(iter(report.failed.values())))
    todo = [case for case in chosen if case.info.name in report.planned]
    if todo and not control.dry_run:
        _run(stage, todo, report, control)
    report.seconds = control.ranks.share(lambda: time.monotonic() - started)
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


def spread(
    label: str, units: Mapping[str, Unit], work: Callable[[Unit], Value], control: Control, *, unit: str
) -> tuple[dict[str, Value], dict[str, str]]:
    """Do ``work`` that the store does not hold on every unit, shared with the other ranks.

    Args:
        label: what is shown to be done.
        units: what to work on, by name.
        work: does one; what it returns, JSON can hold.
        control: progress, stop and ranks.
        unit: what a unit is, e.g. ``case``.

    Returns:
        The results, and the errors that concern one unit alone, by name and in the order of ``units``; the
        same on every rank.

    Raises:
        Stopped: when asked to stop.
    """
    results: dict[str, Value] = {}
    errors: dict[str, str] = {}
    names = list(units)
    queue = control.ranks.queue(len(names))
    control.progress.begin(label, len(names), unit)

    def show(finished: int, note: str = "") -> None:
        for position in range(finished):
            control.progress.advance("" if position else note)

    try:
        for index in queue:
            control.check_stop()
            name = names[index]
            try:
                results[name] = work(units[name])
            except Exception as error:
                if not concerns_one_case(error):
                    raise
                errors[name] = in_words(error)
            show(queue.finish(), name)
        for found, wrong in control.ranks.gather((results, errors), lambda: show(queue.finished())):
            results |= found
            errors |= wrong
        show(queue.finished())
    finally:
        control.progress.end()
    return {n: results[n] for n in names if n in results}, {n: errors[n] for n in names if n in errors}


def in_threads(
    label: str,
    units: Mapping[str, Unit],
    work: Callable[[Unit], None],
    control: Control,
    *,
    unit: str,
    bad: Callable[[str, BadInput], None] | None = None,
) -> None:
    """Do ``work`` on every unit, ``control.workers`` at a time; after an error or a stop none is begun.

    Args:
        label: what is shown to be done.
        units: what to work on, by name.
        work: does one.
        control: progress, stop and number of threads.
        unit: what a unit is, e.g. ``case``.
        bad: hears of each unit with bad input; without it the first such unit ends all. A store that
            cannot be read now says nothing against a unit, and ends all.

    Raises:
        Stopped: when asked to stop.
    """

    def begin(one: Unit) -> None:
        control.check_may_write()
        work(one)

    control.progress.begin(label, len(units), unit)
    with ThreadPoolExecutor(max_workers=max(1, control.workers)) as pool:
        waiting = {name: pool.submit(begin, one) for name, one in units.items()}
        try:
            for name, future in waiting.items():
                control.check_stop()
                try:
                    future.result()
                except (DiskFault, Unreadable):
                    raise
                except BadInput as error:
                    if bad is None:
                        raise
                    bad(name, error)
                control.progress.advance(name)
        finally:
            pool.shutdown(cancel_futures=True)
            control.progress.end()


def _planned(stage: CaseStage, cases: Sequence[CaseArrays], control: Control) -> Report:
    """The report before anything is done."""
    report = Report(stage.name)
    for case in cases:
        if missing := [name for name in stage.inputs if case.seal(name) is None]:
            report.failed[case.info.name] = missing_message(case, missing[0])
        elif (reason := why_not_fresh(stage, case)) or control.force:
            report.planned[case.info.name] = reason or "forced"
        else:
            report.fresh.append(case.info.name)
    return report


def _run(stage: CaseStage, todo: list[CaseArrays], report: Report, control: Control) -> None:
    """Do this rank's share, and gather what became of all cases, in their order."""
    queue = control.ranks.queue(len(todo))
    mine = Report(stage.name)
    control.progress.begin(stage.name, len(todo), "case")

    def show(finished: int, note: str = "") -> None:
        for position in range(finished):
            control.progress.advance("" if position else note)

    try:
        _work_off(stage, todo, queue, mine, control, show)
        found = control.ranks.gather(asdict(mine), lambda: show(queue.finished()))
        show(queue.finished())
    finally:
        control.progress.end()
    done = {name for one in found for name in one["done"]}
    failed = {name: message for one in found for name, message in one["failed"].items()}
    names = [case.info.name for case in todo]
    report.done += [name for name in names if name in done]
    report.failed |= {name: failed[name] for name in names if name in failed}


def _work_off(
    stage: CaseStage,
    todo: list[CaseArrays],
    queue: WorkQueue,
    mine: Report,
    control: Control,
    show: Callable[[int, str], None],
) -> None:
    """Do the cases that fall to this rank, reading ahead while there is plenty for all."""
    work: Work | None = None
    units = _units(queue, len(todo), control)
    with closing(read_ahead(units, partial(_read, stage, todo), control)) as cases:
        for unit, inputs in cases:
            control.check_stop()
            work = work or stage.load()
            _run_case(stage, todo[unit], work, inputs, mine, control)
            show(queue.finish(), todo[unit].info.name)


def _units(queue: WorkQueue, count: int, control: Control) -> Iterator[Ahead[int]]:
    """This rank's cases; near the end none is taken before it can be begun, since another may be idle."""
    for unit in queue:
        plenty = control.ranks.count == 1 or unit + control.ranks.count * control.workers < count
        yield Ahead(unit, waits=plenty)


def _run_case(
    stage: CaseStage,
    case: CaseArrays,
    work: Work,
    inputs: Callable[[], Arrays],
    report: Report,
    control: Control,
) -> None:
    started = time.monotonic()
    name = case.info.name
    try:
        outputs = work(case, inputs())
        origin = made_from(stage, case)
        seconds = time.monotonic() - started
        control.ranks.check()  # without rank 0 there is no lock to write under
        for array in stage.outputs:
            control.check_may_write()
            seal = Seal.now(stage.name, fingerprint(origin), origin, seconds)
            case.write(array, np.ascontiguousarray(outputs[array]), seal)
        report.done.append(name)
    except Exception as error:
        if not concerns_one_case(error):
            raise
        log.debug("case %s failed in %s", name, stage.name, exc_info=True)
        report.failed[name] = in_words(error)


def _read(stage: CaseStage, todo: Sequence[CaseArrays], unit: int) -> Arrays:
    return {name: todo[unit].read(name) for name in stage.inputs}


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
    command = command_for(array, case.info.split)
    return f"Case {case.info.name} has no {array} yet; run `clisc {command}` first."
