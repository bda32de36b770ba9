"""How far a project is, found by comparing recipes with seals; no voxel and no weights are read."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from clisc_engine.errors import MissingStage
from clisc_engine.files.collecting import collection_paused
from clisc_engine.models.weights import MissingWeights
from clisc_engine.products import graph
from clisc_engine.products.declared import ROWS
from clisc_engine.products.graph import ABLATION, EVALUATE, STAGES, STEPS
from clisc_engine.products.kinds import IMAGE, SIMILARITIES, Array, Network
from clisc_engine.project.checkpoints import why_not_trained
from clisc_engine.project.curve import seconds_of_epochs
from clisc_engine.project.fingerprint import counted_cases
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.project.store import Stamp
from clisc_engine.running import journal
from clisc_engine.running.spec import why_not_fresh
from clisc_engine.stages import recipes
from clisc_engine.stages.evaluation import document as evaluation_document
from clisc_engine.stages.evaluation.leaks import leaks
from clisc_engine.stages.learning import learnt_from, read_by
from clisc_engine.stages.s3f.similarity import outdated_similarities
from clisc_engine.upkeep.status import Item, StageStatus, State
from clisc_engine.upkeep.survey_baselines import survey_baselines

_ROWS_TABLE = "results/rows.csv"


class _Late(NamedTuple):
    """What is not fresh of what a product is made from, in words, and why the first of the chain is not."""

    why: str = ""
    cause: str = ""


def survey(project: Project) -> list[StageStatus]:
    """The state of every stage, in order, then of the rivals that were run.

    What is made from something stale is stale too.
    """
    with collection_paused():
        return _Survey(project.glance()).run()


class _Survey:
    """Goes through the steps once, in order.

    Attributes:
        project: the one surveyed.
        all: its cases.
        behind: what is stale or missing so far, by product and case (empty for a network).
        causes: why, of the first product in the chain that is.
        stages: the result, by step.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self.all = project.cases()
        self.behind: dict[tuple[str, str], State] = {}
        self.causes: dict[tuple[str, str], str] = {}
        self.stages: dict[str, StageStatus] = {name: StageStatus(name) for name in STEPS}

    def run(self) -> list[StageStatus]:
        for step in STAGES:
            for product in graph.made_in(step):
                if isinstance(product, Network):
                    self._training(step, product)
                elif isinstance(product, Array) and not product.along_with:
                    self._arrays(step, product, self._cases(product))
        self._evaluate()
        if not any(case.info.split == "train" for case in self.all):
            self._nothing_to_learn_from()
        return [*self.stages.values(), *survey_baselines(self.project, self.all, self.behind)]

    def _cases(self, array: Array) -> list[CaseArrays]:
        """The cases whose array its step makes."""
        if array.cases == "all":
            return self.all
        splits: tuple[str, ...] = ("train",)
        if array.network:  # it predicts also the valid cases on which the next one chooses its epoch
            splits = recipes.splits_of(self.project.settings, array.network)
        return [case for case in self.all if case.info.split in splits]

    def _arrays(self, step: str, array: Array, cases: Sequence[CaseArrays]) -> None:
        """Note an array of each case; those that are made along with it count as one item with it."""
        trained = self._trained(array.network) if array.network else ""
        try:
            recipe = recipes.array(self.project.settings, array.name, trained=trained)
        except MissingWeights as error:
            self._blocked(step, array.name, cases, error)
            return
        for case in cases:
            stamps = [case.stamp(name) for name in recipe.outputs]
            needs = [(name, case.info.name) for name in array.inputs]
            late = self._behind([(array.network, ""), *needs])
            self._note(step, array.name, case.info.name, stamps, late, why_not_fresh(recipe, case))

    def _nothing_to_learn_from(self) -> None:
        """With an empty train split no step that waits for a network can go on; masks can be measured."""
        for status in self.stages.values():
            late = {item.product for item in status.items if item.state != "fresh"} & graph.PRODUCTS.keys()
            waits = late.union(*map(graph.ancestors, late)) & graph.NETWORKS.keys()
            if status.stage == EVALUATE:
                waits = set() if recipes.present_rows(self.all) else {EVALUATE}
            if waits and status.possible:
                status.possible = False
                moving = self.project.store.home.moving("train")
                status.note = f"the train split is empty; {moving} puts cases there"

    def _training(self, step: str, network: Network) -> None:
        name = network.name
        cases = read_by(self.project, network, self.all)
        needs = [
            (array, case.info.name)
            for array in reversed(graph.needs(name))
            if array in graph.ARRAYS
            for case in cases
        ]
        provenance = recipes.network(self.project, name, learnt_from(self.project, network, self.all))
        checkpoint = self.project.checkpoint(name)
        reason, late = why_not_trained(checkpoint, provenance), self._behind(needs)
        behind = late.why
        if SIMILARITIES in network.chosen_by:
            behind = behind or outdated_similarities(self.project.file(SIMILARITIES))
        if note := self._interrupted(name, reason):
            self.stages[step].note = note
        if checkpoint.made_from() is None:
            item = Item(name, "", "missing", behind or reason)
        else:
            state: State = "stale" if reason or behind else "fresh"
            when = journal.trained_at(self.project, name)
            item = Item(
                name, "", state, behind or reason, when, sum(seconds_of_epochs(checkpoint.curve.of_weights))
            )
        self._add(step, item, late.cause)

    def _interrupted(self, name: str, reason: str) -> str:
        """How far a training has come that was stopped; ``reason`` is why the weights are not fresh."""
        checkpoint = self.project.checkpoint(name)
        anew = checkpoint.curve.is_kept
        if not anew and not (reason and checkpoint.state.exists()):  # a finished one may keep its state
            return ""
        done = len(seconds_of_epochs(checkpoint.curve.logged))
        total = getattr(self.project.settings, recipes.schedule_section(self.project, name)).epochs
        told = f"{name}: stopped after epoch {done} of {total}"
        kept = "the finished weights count until it ends; `--force` goes on, without it they stay"
        return f"{told}; {kept}" if anew and not reason else told

    def _evaluate(self) -> None:
        status = self.stages[EVALUATE]
        stored = evaluation_document.load(self.project.store)
        cases = self._to_measure(stored)
        if not cases:
            others = {case.info.split for case in self.all if case.info.has_reference}
            hint = f" (evaluate --splits {','.join(sorted(others))})" if others else ""
            status.possible, status.note = False, f"no test case has a reference mask{hint}"
            return
        for array in (graph.ARRAYS[name] for name in ROWS.values()):
            network = self.project.checkpoint(array.network)
            if array.inputs == (IMAGE,) and network.made_from() is not None:
                self._arrays(EVALUATE, array, cases)
        status.items.append(self._measured(stored, cases))
        if stale := self._ablation(cases):
            again = self.project.store.home.in_words(graph.MADE_BY[stale[0]])
            status.note = f"{', '.join(stale)}: stale; {again} makes it again"

    def _to_measure(self, stored: dict[str, Any] | None) -> list[CaseArrays]:
        """The cases that the same call of `evaluate` would measure now; without one, a plain call.

        Which splits a document of 0.1.0 was asked for is not known: it is held to the cases that it has.
        """
        having = [case for case in self.all if case.info.has_reference]
        if stored is None:
            return [case for case in having if case.info.split == "test"]
        if stored["chosen"] or not stored["splits"]:
            measured = {entry["case"] for entry in stored["cases"]} | set(stored["failed"])
            return [case for case in having if case.info.name in measured]
        asked = [case for case in having if case.info.split in stored["splits"]]
        if stored["seen"]:
            return asked
        leaking = leaks(self.project, asked, recipes.present_rows(asked).values())
        return [case for case in asked if case.info.name not in leaking]

    def _ablation(self, cases: Sequence[CaseArrays]) -> list[str]:
        """What only the ablation makes and is there, but would come out otherwise now.

        It is noted alone: no row of it is needed, and a plain `evaluate` does not make it again.
        """
        stale: list[str] = []
        for product in graph.made_in(ABLATION):
            if isinstance(product, Network):
                checkpoint = self.project.checkpoint(product.name)
                provenance = recipes.network(
                    self.project, product.name, learnt_from(self.project, product, self.all)
                )
                there, why = checkpoint.made_from() is not None, why_not_trained(checkpoint, provenance)
                stale += [product.name] if there and why else []
            elif isinstance(product, Array) and not product.network:
                having = [case for case in cases if case.stamp(product.name) is not None]
                with suppress(MissingWeights):
                    recipe = recipes.array(self.project.settings, product.name)
                    stale += [product.name] if any(why_not_fresh(recipe, case) for case in having) else []
        return stale

    def _measured(self, stored: dict[str, Any] | None, cases: Sequence[CaseArrays]) -> Item:
        """The evaluation's table."""
        if not stored:
            return Item(_ROWS_TABLE, "", "missing", "not measured yet")
        provenance = recipes.evaluation_provenance(self.project, cases, recipes.present_rows(cases))
        needs = [(array, case.info.name) for array in ROWS.values() for case in cases]
        why = self._behind(needs).why or recipes.why_not_measured(stored["fingerprint"], provenance)
        if not why and stored["failed"]:
            why = _failed(stored["failed"])
        return Item(_ROWS_TABLE, "", "stale" if why else "fresh", why, _measured_at(self.project, stored))

    def _note(
        self,
        stage: str,
        product: str,
        case: str,
        stamps: Sequence[Stamp | None],
        late: _Late,
        reason: str,
    ) -> None:
        whole = [stamp for stamp in stamps if stamp is not None]
        why = late.why or reason
        if len(whole) < len(stamps):
            self._add(stage, Item(product, case, "missing", why), late.cause)
            return
        item = Item(product, case, "stale" if why else "fresh", why, whole[-1].time, whole[-1].seconds)
        self._add(stage, item, late.cause)

    def _blocked(
        self, stage: str, product: str, cases: Sequence[CaseArrays], error: MissingWeights
    ) -> None:
        """A stage whose weight file is not here: what it made is kept as it is, the rest cannot be made."""
        self.stages[stage].note = str(error)
        for case in cases:
            stamp = case.stamp(product)
            if stamp:
                self._add(stage, Item(product, case.info.name, "fresh", "", stamp.time, stamp.seconds))
            else:
                self._add(stage, Item(product, case.info.name, "missing", str(error)))

    def _add(self, stage: str, item: Item, cause: str = "") -> None:
        """Note an item; ``cause`` is why the first product in its chain is not fresh, if it is another."""
        self.stages[stage].items.append(item)
        if item.state != "fresh":
            self.behind[item.product, item.case] = item.state
            self.causes[item.product, item.case] = cause or item.why

    def _behind(self, needs: Sequence[tuple[str, str]]) -> _Late:
        """The first of the needed products that is not fresh, and of how many cases; empty when all are."""
        name = next((name for name, case in needs if (name, case) in self.behind), "")
        if not name:
            return _Late()
        needed = [case for product, case in needs if product == name]
        late = [case for case in needed if (name, case) in self.behind]
        states = {self.behind[name, case] for case in late}
        of_cases = f" of {counted_cases(late)}" if len(needed) > 1 else ""
        verb, state = "are" if len(late) > 1 else "is", "stale" if "stale" in states else "missing"
        cause = next(self.causes[name, case] for case in late if self.behind[name, case] == state)
        because = f" ({cause})" if state == "stale" else ""
        return _Late(f"{name}{of_cases} {verb} {state}{because}", cause)

    def _trained(self, name: str) -> str:
        try:
            return self.project.checkpoint(name).fingerprint()
        except MissingStage:
            return ""


def _failed(cases: dict[str, str]) -> str:
    name, message = next(iter(cases.items()))
    return f"{len(cases)} of the cases failed, first {name}: {message}"


def _measured_at(project: Project, stored: dict[str, Any]) -> str:
    """When the evaluation was made; that of 0.1.0 does not say it, but the journal does."""
    ends = [journal.end_of(entry) for entry in journal.entries(project) if entry.stage == EVALUATE]
    table = project.results / "rows.csv"
    known = [max(ends, default=""), journal.stamp_of(table) if table.is_file() else ""]
    return str(stored["time"]) or min((time for time in known if time), default="")
