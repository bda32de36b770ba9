"""The survey of a project: the stages' recipes held against the seals, without a voxel or a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone

from clisc_engine.checkpoints import Checkpoint, why_not_trained
from clisc_engine.core.filtering import s3f_keep
from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.models.weights import MissingWeights
from clisc_engine.project import CaseArrays, Project
from clisc_engine.runner import CaseStage, why_not_fresh
from clisc_engine.stages import evaluation_document, recipes, s3f_table
from clisc_engine.stages.pipeline import EVALUATE, STAGES
from clisc_engine.stages.status import Item, StageStatus, State
from clisc_engine.store import Seal
from clisc_engine.tables import read_table


def survey(project: Project) -> list[StageStatus]:
    """The state of every stage, in order. What is made from something stale is stale too."""
    return _Survey(project).run()


class _Survey:
    """Goes through the stages once, remembering what is not fresh."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.all = project.cases()
        self.train = [case for case in self.all if case.info.split == "train"]
        self.valid = [case for case in self.all if case.info.split == "valid"]
        self.behind: dict[tuple[str, str], State] = {}
        self.stages = {name: StageStatus(name) for name in (*STAGES, EVALUATE)}

    def run(self) -> list[StageStatus]:
        settings = self.project.settings
        try:
            recipe = recipes.label(settings)
            self._arrays("label", recipe, self.all, lambda case: [])
        except MissingWeights as error:
            self._blocked("label", "labels/tumour", self.all, error)
        watching = [c for c in self.all if c.info.split in recipes.classifier_splits(settings)]
        self._classifier("cam", "classifier-raw", "cams/raw", watching, "labels/tumour", recipes.raw_origin)
        self._classifier("amda", "classifier-amda", "cams/amda", watching, "cams/raw", recipes.amda_origin)
        self._sam_masks()
        watched = self.valid if settings.unet.select == "best" else []
        self._network("train", "unet-round1", [*self.train, *watched], "masks/sam")
        self._self_train(watched)
        self._evaluate()
        return list(self.stages.values())

    def _classifier(
        self,
        stage: str,
        name: str,
        array: str,
        cases: Sequence[CaseArrays],
        needed: str,
        origin: Callable[[Project, Sequence[CaseArrays]], dict[str, str]],
    ) -> None:
        having = [case for case in cases if case.seal(needed) is not None]
        made = origin(self.project, having)
        self._training(stage, name, made, [(needed, c.info.name) for c in cases])
        recipe = recipes.maps(self.project.settings, stage, array, name, self._trained(name))
        self._arrays(stage, recipe, self.all, lambda case: [(name, ""), ("labels/tumour", case.info.name)])

    def _sam_masks(self) -> None:
        settings = self.project.settings
        try:
            recipe = recipes.sam_masks(settings, settings.prompts, "masks/sam")
            self._arrays("prompt-sam", recipe, self.all, lambda case: [("cams/amda", case.info.name)])
        except MissingWeights as error:
            self._blocked("prompt-sam", "masks/sam", self.all, error)

    def _network(self, stage: str, name: str, cases: Sequence[CaseArrays], labels: str) -> None:
        having = [case for case in cases if case.seal(labels) is not None]
        origin = recipes.unet_origin(self.project, having, labels)
        self._training(stage, name, origin, [(labels, c.info.name) for c in cases])

    def _self_train(self, watched: Sequence[CaseArrays]) -> None:
        settings = self.project.settings
        self._predictions("self-train", "masks/round1", "unet-round1", [*self.train, *watched])
        try:
            recipe = recipes.sam_masks_of_round1(settings)
            self._arrays("self-train", recipe, self.train, lambda case: [("masks/round1", case.info.name)])
        except MissingWeights as error:
            self._blocked("self-train", "masks/sam-round1", self.train, error)
        kept = s3f_keep(s3f_table.recorded(self.project), settings.s3f.p)
        chosen = [case for case in self.train if case.info.name in kept]
        labelled = [case for case in watched if case.seal("masks/sam") is not None]
        having = [c for c in (*chosen, *labelled) if c.seal("masks/round1") is not None]
        start = recipes.start_of_round2(self.project)
        origin = recipes.unet_origin(self.project, having, "masks/round1", start)
        needs = [("masks/sam-round1", case.info.name) for case in self.train]
        self._training("self-train", "unet-round2", origin, needs)

    def _evaluate(self) -> None:
        status = self.stages[EVALUATE]
        stored = evaluation_document.load(self.project.store)
        measured = {entry["case"] for entry in stored["cases"]} | set(stored["failed"]) if stored else set()
        cases = [
            case
            for case in self.all
            if case.info.has_reference
            and (case.info.name in measured if measured else case.info.split == "test")
        ]
        if not cases:
            others = {case.info.split for case in self.all if case.info.has_reference}
            hint = f" (evaluate --splits {','.join(sorted(others))})" if others else ""
            status.possible, status.note = False, f"no test case has a reference mask{hint}"
            return
        for array, network in (("masks/round1", "unet-round1"), ("masks/round2", "unet-round2")):
            if Checkpoint(self.project.checkpoints, network).made_from() is not None:
                self._predictions(EVALUATE, array, network, cases)
        origin = recipes.evaluation_origin(self.project, cases, recipes.present_rows(cases))
        table = Item("results/rows.csv", "", "fresh", time=_modified(self.project, "rows.csv"))
        if not stored:
            table = Item("results/rows.csv", "", "missing", "not measured yet")
        elif behind := self._behind(
            [(array, c.info.name) for array in recipes.ROWS.values() for c in cases]
        ):
            table = Item("results/rows.csv", "", "stale", behind, table.time)
        elif why := recipes.why_measured_anew(stored, origin):
            table = Item("results/rows.csv", "", "stale", why, table.time)
        elif stored["failed"]:
            table = Item("results/rows.csv", "", "stale", _failed(stored["failed"]), table.time)
        status.items.append(table)

    def _predictions(self, stage: str, array: str, network: str, cases: Sequence[CaseArrays]) -> None:
        recipe = recipes.predictions(self.project.settings, stage, array, network, self._trained(network))
        self._arrays(stage, recipe, cases, lambda case: [(network, "")])

    def _arrays(
        self,
        stage: str,
        recipe: CaseStage,
        cases: Sequence[CaseArrays],
        needs: Callable[[CaseArrays], list[tuple[str, str]]],
    ) -> None:
        """Note the recipe's arrays of each case; several outputs of one recipe count as one item."""
        for case in cases:
            seals = [case.seal(name) for name in recipe.outputs]
            behind = self._behind(needs(case))
            self._note(
                stage, recipe.outputs[-1], case.info.name, seals, behind, why_not_fresh(recipe, case)
            )

    def _training(
        self, stage: str, name: str, origin: dict[str, str], needs: Sequence[tuple[str, str]]
    ) -> None:
        checkpoint = Checkpoint(self.project.checkpoints, name)
        reason, behind = why_not_trained(checkpoint, origin), self._behind(needs)
        epochs = _epochs(self.project, name)
        if reason and checkpoint.state.exists():  # a finished one may keep its state, for more epochs
            total = getattr(self.project.settings, name.split("-")[0]).epochs
            self.stages[stage].note = f"{name}: stopped after epoch {len(epochs)} of {total}"
        if checkpoint.made_from() is None:
            item = Item(name, "", "missing", behind or reason)
        else:
            state: State = "stale" if reason or behind else "fresh"
            when = _stamp(checkpoint.weights.stat().st_mtime)
            item = Item(name, "", state, behind or reason, when, sum(epochs))
        self._add(stage, item)

    def _note(
        self,
        stage: str,
        product: str,
        case: str,
        seals: Sequence[Seal | None],
        behind: str,
        reason: str,
    ) -> None:
        whole = [seal for seal in seals if seal is not None]
        if len(whole) < len(seals):
            self._add(stage, Item(product, case, "missing", behind or reason))
            return
        state: State = "stale" if behind or reason else "fresh"
        self._add(stage, Item(product, case, state, behind or reason, whole[-1].time, whole[-1].seconds))

    def _blocked(
        self, stage: str, product: str, cases: Sequence[CaseArrays], error: MissingWeights
    ) -> None:
        """A stage whose weight file is not here: what it made is kept as it is, the rest cannot be made."""
        self.stages[stage].note = str(error)
        for case in cases:
            seal = case.seal(product)
            if seal:
                self._add(stage, Item(product, case.info.name, "fresh", "", seal.time, seal.seconds))
            else:
                self._add(stage, Item(product, case.info.name, "missing", str(error)))

    def _add(self, stage: str, item: Item) -> None:
        self.stages[stage].items.append(item)
        if item.state != "fresh":
            self.behind[item.product, item.case] = item.state

    def _behind(self, needs: Sequence[tuple[str, str]]) -> str:
        """The first of the needed products that is not fresh, in words; empty when all are."""
        for name, case in needs:
            if state := self.behind.get((name, case)):
                return f"{name} is {state}"
        return ""

    def _trained(self, name: str) -> str:
        try:
            return Checkpoint(self.project.checkpoints, name).fingerprint()
        except MissingStage:
            return ""


def _failed(cases: dict[str, str]) -> str:
    name, message = next(iter(cases.items()))
    return f"{len(cases)} of the cases failed, first {name}: {message}"


def _epochs(project: Project, name: str) -> list[float]:
    """Seconds of each epoch in a training's curve."""
    path = project.logs / f"{name}.csv"
    try:
        return [float(row.values["seconds"]) for row in read_table(path, ("seconds",), "seconds")]
    except (BadInput, ValueError):  # there is none yet, or somebody wrote into it
        return []


def _modified(project: Project, name: str) -> str:
    path = project.results / name
    return _stamp(path.stat().st_mtime) if path.is_file() else ""


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")
