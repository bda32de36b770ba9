"""How far the rivals of Table 1 are; those that were never run are left out."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from clisc_engine.baselines import recipes
from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.models.weights import MissingWeights
from clisc_engine.products import graph
from clisc_engine.products.kinds import Array, Network, Product, Table
from clisc_engine.products.rivals import METHODS, SUPERVISED, TABLE1_ROWS, map_of, threshold_of
from clisc_engine.project.checkpoints import why_not_trained
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running import journal
from clisc_engine.running.spec import CaseSpec, why_not_fresh
from clisc_engine.stages import recipes as stage_recipes
from clisc_engine.upkeep.status import Item, StageStatus, State


def survey_baselines(
    project: Project, cases: Sequence[CaseArrays], behind: Mapping[tuple[str, str], State]
) -> list[StageStatus]:
    """The state of every rival that was begun, in the order in which `clisc baseline all` runs them.

    Args:
        project: the one surveyed.
        cases: all of its.
        behind: what of the steps is stale or missing, by product and case (empty for a network).
    """
    rivals = _Rivals(project, cases, behind)
    statuses = [StageStatus(f"baseline {method}", rivals.items(method)) for method in METHODS]
    return [status for status in statuses if status.items]


class _Rivals:
    """Goes through the methods once, in order.

    Attributes:
        project: the one surveyed.
        cases: all of its.
        behind: what is stale or missing so far, by product and case (empty for what is of no case).
        there: the masks and maps that each case may have; two folders are listed, no file is read.
    """

    def __init__(
        self, project: Project, cases: Sequence[CaseArrays], behind: Mapping[tuple[str, str], State]
    ) -> None:
        self.project, self.cases, self.behind = project, cases, dict(behind)
        self.there = {
            case.info.name: {
                f"{group}/{name}"
                for group in ("masks", "baselines")
                for name in project.store.folders(f"cases/{case.info.name}/{group}")
            }
            for case in cases
        }

    @functools.cached_property
    def parts(self) -> recipes.Parts:
        return recipes.parts(self.project)

    def items(self, method: str) -> list[Item]:
        """What there is of a method; what is made from something stale is stale too."""
        found: list[Item] = []
        for product in graph.made_in(f"baseline {method}"):
            for item in self._of(product):
                found.append(item)
                if item.state != "fresh":
                    self.behind[item.product, item.case] = item.state
        return found

    def _of(self, product: Product) -> Iterator[Item]:
        if isinstance(product, Network):
            return self._network(product)
        if isinstance(product, Table):
            return self._threshold(product)
        return self._arrays(product) if isinstance(product, Array) else iter(())

    def _network(self, network: Network) -> Iterator[Item]:
        checkpoint = self.project.checkpoint(network.name)
        if checkpoint.made_from() is None:
            return
        try:
            if network.name == SUPERVISED:
                learnt = self._with_reference()
                made_from = stage_recipes.network(self.project, network.name, learnt)
            else:
                learnt = self.parts.learnt
                made_from = recipes.network(self.project, network.name.removeprefix("baseline-"), learnt)
            why = self._late(network.name, learnt) or why_not_trained(checkpoint, made_from)
        except (BadInput, MissingStage) as error:
            why = str(error)
        when = journal.trained_at(self.project, network.name)
        yield Item(network.name, "", "stale" if why else "fresh", why, when)

    def _with_reference(self) -> list[CaseArrays]:
        """The cases that the supervised network would learn from now."""
        splits = stage_recipes.splits_of(self.project.settings, SUPERVISED)
        return [case for case in self.cases if case.info.split in splits and case.info.has_reference]

    def _threshold(self, table: Table) -> Iterator[Item]:
        """The number that cuts a row's maps, where it was chosen and still counts."""
        row = next(row for row in TABLE1_ROWS if threshold_of(row) == table.name)
        counts = recipes.held_out_choose(self.project, row)
        if not counts or recipes.kept_threshold(self.project, row) is None:
            return
        try:
            held_out = self.parts.held_out
            why = self._late(table.name, held_out) or recipes.why_not_chosen(self.project, row, held_out)
        except (BadInput, MissingStage) as error:
            why = str(error)
        yield Item(table.name, "", "stale" if why else "fresh", why)

    def _arrays(self, array: Array) -> Iterator[Item]:
        """Those that are there: which cases a rival is run on is the caller's choice."""
        having = [case for case in self.cases if array.name in self.there[case.info.name]]
        if not having:
            return
        row = next((row for row, name in TABLE1_ROWS.items() if name == array.name), "")
        threshold = self.behind.get((threshold_of(row), "")) if row else None
        spec: CaseSpec | None = None
        with suppress(MissingWeights, MissingStage):  # without its weights, what was made stays as it is
            spec = self._spec(array, row)
        for case in having:
            if (stamp := case.stamp(array.name)) is None:
                continue
            why = self._late(array.name, [case])
            why = why or (f"{threshold_of(row)} is {threshold}" if threshold else "")
            why = why or (why_not_fresh(spec, case) if spec else "")
            state: State = "stale" if why else "fresh"
            yield Item(array.name, case.info.name, state, why, stamp.time, stamp.seconds)

    def _spec(self, array: Array, row: str) -> CaseSpec:
        if row and map_of(row) in graph.ARRAYS:
            return recipes.masks(self.project, row)
        trained = self.project.checkpoint(array.network).fingerprint() if array.network else ""
        return stage_recipes.array(self.project.settings, array.name, trained=trained)

    def _late(self, product: str, cases: Sequence[CaseArrays]) -> str:
        """The first thing that a product is made from, of these cases, that is not fresh; else empty."""
        for name in graph.needs(product):
            for case in ("",) if name in graph.NETWORKS else [one.info.name for one in cases]:
                if state := self.behind.get((name, case)):
                    return f"{name} is {state}"
        return ""
