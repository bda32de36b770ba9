"""Running a sweep: its points are variants in a tree, so that whatever some share is made once."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from clisc_engine.errors import BadInput, CliscError, MissingStage
from clisc_engine.products.dependence import changed_by
from clisc_engine.project import variants
from clisc_engine.project.lock import hold
from clisc_engine.project.project import Project
from clisc_engine.project.variant_locks import refuse_while_below_works
from clisc_engine.running.control import Control
from clisc_engine.running.device import pick_device
from clisc_engine.running.isolation import concerns_one_case
from clisc_engine.running.runner import Report
from clisc_engine.settings.keys import with_changes
from clisc_engine.stages.evaluation.renewal import renew_references, to_renew
from clisc_engine.stages.requirements import check_change
from clisc_engine.sweeps import record
from clisc_engine.sweeps.making import Needed, bring_up, finish, lacking, lacking_last, needed
from clisc_engine.sweeps.measuring import cases_to_measure, measure, together, why_measure
from clisc_engine.sweeps.sweep import Axis, Sweep, goes_on, in_words
from clisc_engine.sweeps.tree import Node, key_of, point_name

WHOLE = "the whole value"
"""Stands in the place of a case where nothing of a point could be made."""


@dataclass
class Outcome:
    """What a sweep did.

    Attributes:
        sweep: it.
        result: the table over all points; None when some are not measured yet.
        made: what was made where, by node and product or case; of a dry run, what would be.
        measured: names of the points that were measured, or would be.
        shared: by node, how many products behind the row it takes from what it lies over.
        failed: why cases failed, by point and case.
        waiting: names of points that are not measured yet.
    """

    sweep: Sweep
    result: dict[str, Any] | None = None
    made: dict[str, dict[str, Any]] = field(default_factory=dict)
    measured: list[str] = field(default_factory=list)
    shared: dict[str, list[str]] = field(default_factory=dict)
    failed: dict[str, dict[str, str]] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)


def run_sweep(
    project: Project,
    sweep: Sweep,
    control: Control,
    *,
    prepare: bool = False,
    only: int | None = None,
    words: str = "",
) -> Outcome:
    """Make what each point needs and is not there, and measure its row.

    What points have in common is made once: in the project what does not depend on the settings swept, in
    a variant what depends on the first of them alone, and so on. So the project is brought up to date
    first, as far as the row rests on it, rather than refused: one command is enough.

    Args:
        project: under the lock of this command, unless ``only`` is given.
        sweep: what to do.
        control: as for every step; a dry run makes nothing.
        prepare: make what several points share, and no more.
        only: number of the one point to make, from 0; nothing but its own variant is written, so that
            tasks of an array job do not meet.
        words: the arguments of the command, for messages.

    Raises:
        BadInput: when no case has a reference, or there is no such point or device; or when a step could
            not be done with the settings of a point.
        MissingStage: with ``only``, when something that several points share is not there yet.
    """
    return _Run(project, sweep, control, only, words).run(prepare)


class _Run:
    """One call."""

    def __init__(
        self, project: Project, sweep: Sweep, control: Control, only: int | None, words: str
    ) -> None:
        self.project, self.sweep, self.control, self.only, self.words = project, sweep, control, only, words
        settings = [with_changes(project.settings, point, "sweep") for point in sweep.points()]
        for one in settings:
            check_change(project, one)
        self.wanted: Needed = needed(sweep.row, sweep.splits, settings)
        self.cases = cases_to_measure(project, sweep.splits)
        self.outcome = Outcome(sweep)

    def run(self, prepare: bool) -> Outcome:
        root = Node(self.project, {}, {}, self.sweep.levels)
        points = self.sweep.points()
        if self.only is not None and not 0 <= self.only < len(points):
            raise BadInput(
                f"sweep: there is no point {self.only}: there are {len(points)}, numbered from 0."
            )
        if not self.control.dry_run and self.control.device not in ("auto", "cpu"):
            pick_device(self.control.device)  # else an absent one would fail value by value
        leaves = list(self._leaves(root))
        if not self.control.dry_run and self.only is None:
            used = {node.name for path in leaves for node in path if node.is_variant}
            self.control.by_rank_0(lambda: record.note_asked(self.project, self.sweep, used))
        self._old_references()
        by_values = {key_of(path[-1].values): path for path in leaves}
        done: set[str] = set()
        for number, values in enumerate(points):
            if self.only not in (None, number):
                continue
            *above, leaf = by_values[key_of(values)]
            for node in above:
                if (here := key_of(node.values)) not in done:
                    done.add(here)
                    self._share(node)
            if not prepare:
                self._try_point(leaf, above)
        if not prepare:
            self._put_together(by_values, points)
        return self.outcome

    def _leaves(self, node: Node) -> Iterator[tuple[Node, ...]]:
        """Every point, with the nodes above it."""
        if not node.later:
            yield (node,)
            return
        for child in node.children(own_folders=self.only is not None):
            for path in self._leaves(child):
                yield (node, *path)

    def _share(self, node: Node) -> None:
        """Make in a node what does not depend on the settings that branch off below it."""
        products = self._not_changed_by(node.later)
        if self.control.dry_run or self.only is not None:
            todo = lacking(node.project, self.wanted, products)
            if todo and not self.control.dry_run:
                raise self._not_prepared(node, todo)
            self._plan(node, todo)
            return
        with self._at_work(node):
            self._add(node, bring_up(node.project, self.wanted, products, self.control))

    def _try_point(self, leaf: Node, above: list[Node]) -> None:
        """Make and measure a point; one that cannot be made does not stop the others."""
        try:
            self._point(leaf, above)
        except CliscError as error:
            if self.only is not None or self.control.ranks.count > 1 or not concerns_one_case(error):
                raise
            self.control.progress.say(f"sweep: {in_words(leaf.values)} cannot be made: {error}")
            self.outcome.failed.setdefault(point_name(leaf), {})[WHOLE] = str(error)

    def _point(self, leaf: Node, above: list[Node]) -> None:
        name = point_name(leaf)
        everything = self.wanted.products
        if self.control.dry_run:
            self._plan_point(leaf, above)
            return
        self.control.progress.say(f"sweep: {in_words(leaf.values)}")
        with self._at_work(leaf):
            reports = bring_up(leaf.project, self.wanted, everything, self.control)
            last = finish(leaf.project, self.wanted, self.control)
            self._add(leaf, [*reports, *([last] if last else [])])
            failed = self.outcome.failed.get(leaf.name, {})
            if measure(self.sweep, name, leaf.project, self.wanted, failed, self.control):
                self.outcome.measured.append(name)

    def _plan_point(self, leaf: Node, above: list[Node]) -> None:
        first = {product for node in above for product in self.outcome.made.get(node.name, {})}
        todo = lacking(leaf.project, self.wanted, self.wanted.products.difference(first))
        todo |= lacking_last(leaf.project, self.wanted, [*first, *todo], self.control)
        self._plan(leaf, todo)
        before = record.measured(self.project, self.sweep, point_name(leaf))
        if first or todo or why_measure(leaf.project, self.wanted, self.cases, before):
            self.outcome.measured.append(point_name(leaf))

    def _put_together(
        self, by_values: Mapping[str, tuple[Node, ...]], points: list[dict[str, Any]]
    ) -> None:
        """The result over all points that can be made, once all are measured; a task keeps none."""
        found: list[tuple[dict[str, Any], dict[str, Any]]] = []
        for values in points:
            name = point_name(by_values[key_of(values)][-1])
            measured = record.measured(self.project, self.sweep, name)
            if measured is None or WHOLE in self.outcome.failed.get(name, {}):
                self.outcome.waiting.append(name)
            else:
                found.append((values, measured))
                if measured["failed"]:
                    self.outcome.failed[name] = measured["failed"]
        to_come = [name for name in self.outcome.waiting if name not in self.outcome.failed]
        if to_come or not found or self.control.dry_run:
            return
        document = together(self.project, self.sweep, found)
        self.outcome.result = document
        if self.only is None:
            self.control.by_rank_0(lambda: record.note_result(self.project, self.sweep, document))

    def _not_changed_by(self, axes: tuple[Axis, ...]) -> set[str]:
        going_on = goes_on(self.project.settings, self.sweep)
        changed = [changed_by(axis.key, going_on=going_on) for axis in axes]
        return self.wanted.products.difference(*changed)

    def _old_references(self) -> None:
        """References of 0.1.0 are read anew once, for all points."""
        if self.only is not None and any(not why for why in to_renew(self.project, self.cases).values()):
            home = self.project.store.home
            raise MissingStage(
                f"The references are kept as clisc 0.1.0 did; run {home.in_words('evaluate')} first.",
                command="evaluate",
                home=home,
            )
        if self.only is None:
            self.control.ranks.share(lambda: renew_references(self.project, self.cases, self.control))

    def _not_prepared(self, node: Node, todo: Mapping[str, Mapping[str, str]]) -> MissingStage:
        product, reasons = next(iter(todo.items()))
        error = MissingStage(
            f"What several values share is not up to date in {node.project.root} ({product}: "
            f"{next(iter(reasons.values()))}), and a task that makes one value leaves it alone; run "
            f"`clisc sweep {self.words} --prepare` first."
        )
        error.run = ("clisc", "sweep", *shlex.split(self.words), "--prepare")
        return error

    @contextmanager
    def _at_work(self, node: Node) -> Iterator[None]:
        """Hold the node's folder, if it is a variant's, and keep what makes it."""
        control = self.control
        with ExitStack() as held:

            def begin() -> None:
                if not node.is_variant:
                    return
                held.enter_context(
                    hold(
                        node.project.root,
                        "clisc sweep",
                        say=control.progress.say,
                        lost=lambda reason: setattr(control.stop, "reason", reason),
                    )
                )
                if self.only is not None:  # else the project is held by this very command
                    refuse_while_below_works(node.project)
                variants.keep(node.project, node.record())

            self.control.by_rank_0(begin)
            node.project.store.check_may_write = control.check_may_write
            yield
            control.ranks.gather(None)

    def _add(self, node: Node, reports: list[Report]) -> None:
        """Note what was made in a node, and what failed."""
        for report in reports:
            if report.done:
                self.outcome.made.setdefault(node.name, {})[report.stage] = report.done
            if report.failed:
                self.outcome.failed.setdefault(node.name, {}).update(report.failed)

    def _plan(self, node: Node, todo: Mapping[str, Mapping[str, str]]) -> None:
        if todo:
            made = self.outcome.made.setdefault(node.name, {})
            made |= {product: dict(reasons) for product, reasons in todo.items()}
        if not node.later:
            shared = [name for name in sorted(self.wanted.products) if name not in todo]
            self.outcome.shared[node.name] = shared
