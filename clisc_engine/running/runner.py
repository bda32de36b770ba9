"""The one runner of per-case work: resume, skipping, failure isolation and progress."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.project.fingerprint import fingerprint
from clisc_engine.project.project import CaseArrays
from clisc_engine.project.store import Seal
from clisc_engine.running.control import Control
from clisc_engine.running.isolation import concerns_one_case, in_words
from clisc_engine.running.ranks import WorkQueue
from clisc_engine.running.read_ahead import Ahead, read_ahead
from clisc_engine.running.sharing import shared_work
from clisc_engine.running.spec import CaseSpec, made_from, missing, missing_message, why_not_made_from

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]
"""Arrays of a case, by name."""

log = logging.getLogger(__name__)


class CaseStage(Protocol):
    """A stage that treats each case by itself.

    Attributes:
        spec: its inputs, its outputs, and what they are made from.
    """

    spec: CaseSpec

    def load(self) -> None:
        """Load the models. Called once, before the first case, and only if some case has work to do."""

    def run_case(self, case: CaseArrays, arrays: Arrays) -> Arrays:
        """The case's output arrays, from its input arrays."""


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
    report = Report(**control.ranks.share(lambda: asdict(_planned(stage.spec, chosen, control))))
    if report.failed and not report.planned and not report.fresh:
        raise _nothing_to_do_it_from(stage.spec, chosen)
    todo = [case for case in chosen if case.info.name in report.planned]
    if todo and not control.dry_run:
        mine = Report(stage.spec.name)
        with shared_work(stage.spec.name, len(todo), "case", control) as shared:
            with closing(_in_turn(stage, todo, shared.queue, control)) as in_turn:
                for case, inputs in in_turn:
                    _run_case(stage, case, inputs, mine, control)
                    shared.finish(case.info.name)
            _add(report, todo, [Report(**one) for one in shared.gather(asdict(mine))])
    report.seconds = control.ranks.share(lambda: time.monotonic() - started)
    return report


def training_report(stage: str, network: str, reason: str, control: Control, started: float) -> Report:
    """A report with the network in the place of a case."""
    report = Report(stage, seconds=time.monotonic() - started)
    if not reason:
        report.fresh.append(network)
    else:
        report.planned[network] = reason
        if not control.dry_run:
            report.done.append(network)
    return report


def _chosen(cases: Sequence[CaseArrays], control: Control) -> list[CaseArrays]:
    names = {case.info.name for case in cases}
    if unknown := [name for name in control.cases if name not in names]:
        raise BadInput(
            f"No case {', '.join(unknown)} among those of this stage; "
            f"there are {', '.join(sorted(names)[:8]) or 'none'}{' ...' if len(names) > 8 else ''}."
        )
    return [case for case in cases if not control.cases or case.info.name in control.cases]


def _planned(spec: CaseSpec, cases: Sequence[CaseArrays], control: Control) -> Report:
    """The report before anything is done."""
    report = Report(spec.name)
    for case in cases:
        expected = made_from(spec, case)
        if missing := [name for name in spec.inputs if name not in expected]:
            report.failed[case.info.name] = missing_message(case, missing[0])
        elif (reason := why_not_made_from(expected, spec, case)) or control.force:
            report.planned[case.info.name] = reason or "forced"
        else:
            report.fresh.append(case.info.name)
    return report


def _nothing_to_do_it_from(spec: CaseSpec, cases: Sequence[CaseArrays]) -> MissingStage:
    """The error that says what the first case lacks; none of them has all."""
    lacking = next(name for name in spec.inputs if cases[0].seal(name) is None)
    return missing(cases[0], lacking)


def _in_turn(
    stage: CaseStage, todo: Sequence[CaseArrays], queue: WorkQueue, control: Control
) -> Generator[tuple[CaseArrays, Callable[[], Arrays]], None, None]:
    """This rank's cases, each with a function that waits for its inputs, which are read ahead.

    The stage's models are loaded before the first case.
    """

    def read(unit: int) -> Arrays:
        return {name: todo[unit].read(name) for name in stage.spec.inputs}

    loaded = False
    with closing(read_ahead(_units(queue, len(todo), control), read, control)) as units:
        for unit, inputs in units:
            control.check_stop()
            if not loaded:
                stage.load()
                loaded = True
            yield todo[unit], inputs


def _units(queue: WorkQueue, count: int, control: Control) -> Iterator[Ahead[int]]:
    """This rank's units; near the end none is taken before it can be begun, since another may be idle."""
    for unit in queue:
        plenty = control.ranks.count == 1 or unit + control.ranks.count * control.workers < count
        yield Ahead(unit, waits=plenty)


def _run_case(
    stage: CaseStage, case: CaseArrays, inputs: Callable[[], Arrays], report: Report, control: Control
) -> None:
    """Do one case and write its outputs, each with its seal; an error of the case alone is recorded."""
    started = time.monotonic()
    name = case.info.name
    try:
        outputs = stage.run_case(case, inputs())
        provenance = made_from(stage.spec, case)
        seconds = time.monotonic() - started
        control.ranks.check()  # without rank 0 there is no lock to write under
        for array in stage.spec.outputs:
            control.check_may_write()
            seal = Seal.now(stage.spec.name, fingerprint(provenance), provenance, seconds)
            case.write(array, np.ascontiguousarray(outputs[array]), seal)
        report.done.append(name)
    except Exception as error:
        if not concerns_one_case(error):
            raise
        log.debug("case %s failed in %s", name, stage.spec.name, exc_info=True)
        report.failed[name] = in_words(error)


def _add(report: Report, todo: Sequence[CaseArrays], found: Sequence[Report]) -> None:
    """Add to the report what all ranks found of the cases, in the cases' order."""
    done = {name for one in found for name in one.done}
    failed = {name: message for one in found for name, message in one.failed.items()}
    names = [case.info.name for case in todo]
    report.done += [name for name in names if name in done]
    report.failed |= {name: failed[name] for name in names if name in failed}
