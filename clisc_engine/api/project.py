"""A project, as scripts open and run it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from clisc_engine.api.case import Case
from clisc_engine.api.interrupts import interruptible
from clisc_engine.api.listing import Records, Reports, Status
from clisc_engine.api.picture import Picture
from clisc_engine.api.progress import Listener, listener
from clisc_engine.errors import BadInput
from clisc_engine.files.words import counted
from clisc_engine.project import cut_short
from clisc_engine.project.case_record import SPLITS
from clisc_engine.project.lock import hold
from clisc_engine.project.project import open_project as open_stored
from clisc_engine.project.project import project_root
from clisc_engine.running.control import Control, Precision, StopFlag
from clisc_engine.running.device import check_precision
from clisc_engine.running.runner import Report
from clisc_engine.settings.schema import Settings

if TYPE_CHECKING:
    from pandas import DataFrame

Step = Literal["label", "cam", "amda", "prompt-sam", "train", "self-train"]


class Project:
    """A project folder made by ``clisc init``; ``clisc.open`` gives one.

    Iterating gives its cases by name. Steps hold the project's lock while they run, so that no other
    process writes at the same time.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        """Open the project at ``path``, else at ``$CLISC_PROJECT``, else around the current folder."""
        # The whole path, so that a script may change its folder and still mean this project.
        self._stored = open_stored(project_root(Path(path) if path is not None else None).absolute())

    @property
    def path(self) -> Path:
        """The project's folder."""
        return self._stored.root

    @property
    def settings(self) -> Settings:
        """The settings of its clisc.toml, read when the project was opened."""
        return self._stored.settings

    def __iter__(self) -> Iterator[Case]:
        """The cases, by name."""
        return (Case(case) for case in self._stored.cases())

    def __len__(self) -> int:
        """How many cases there are."""
        return len(self._stored.cases())

    def __repr__(self) -> str:
        """Folder and number of cases."""
        return f"<clisc project {self.path}: {self._facts()}>"

    def _repr_html_(self) -> str:
        return f"<b>{escape(str(self.path))}</b>: {self._facts()}" + self.status()._repr_html_()

    def _facts(self) -> str:
        return f"{counted(len(self), 'case')}, {self.settings.made_with} weights"

    def case(self, name: str) -> Case:
        """One case.

        Raises:
            BadInput: when there is none of this name.
        """
        return Case(self._stored.case(name))

    def status(self) -> Status:
        """How far each step is: state, cases, and why something is stale or missing."""
        from clisc_engine.upkeep.survey import survey

        return Status(survey(self._stored))

    def table(self, what: Literal["cases", "rows"] = "cases") -> DataFrame | Records:
        """The cases with volumes and scores, or the rows of Table 2, as `evaluate` last measured them.

        Args:
            what: cases, or rows.

        Returns:
            A pandas DataFrame where pandas is installed, else the list of records that it would hold.
            Volumes in ml, DSC in percent, HD95 in mm, SD of the population.

        Raises:
            MissingStage: for rows, when nothing was evaluated yet.
        """
        from clisc_engine.api.tables import case_records, row_records

        if what not in ("cases", "rows"):
            raise BadInput(f"There is no table {what!r}; there are cases and rows.")
        records = case_records(self._stored) if what == "cases" else row_records(self._stored)
        try:
            from pandas import DataFrame
        except ImportError:
            return records
        return DataFrame.from_records(records)

    def show(self, case: str | Case, *, slices: int = 5, table1: bool = False) -> Picture:
        """What the steps made of a case: a row a slice, a column a step. Jupyter shows the picture.

        The reference is drawn only where `evaluate` has measured the case.

        Args:
            case: it, or its name.
            slices: how many, spread over what was found.
            table1: a column a method of Table 1 instead.

        Raises:
            BadInput: when there is no such case, or no slice is asked for.
        """
        from clisc_engine.results.show import picture_of

        if slices < 1:
            raise BadInput(f"slices = {slices}: give 1 or more.")
        name = case if isinstance(case, str) else case.name
        picture, png = picture_of(self._stored, name, slices, ".png", table1=table1)
        return Picture(name, tuple(picture.chosen), png)

    def run(
        self,
        *steps: Step,
        until: Step | None = None,
        device: str = "auto",
        precision: Precision = "32",
        cases: Sequence[str | Case] = (),
        force: bool = False,
        progress: Listener | None = None,
    ) -> Reports:
        """Run steps in the order of the method; what is fresh is skipped, what was interrupted goes on.

        Args:
            steps: all by default.
            until: the last step, in the place of naming them.
            device: auto, cpu, cuda, cuda:N or mps.
            precision: 32, bf16 or 16: the networks' arithmetic.
            cases: restrict per-case steps to these, or their names.
            force: remake what is fresh.
            progress: makes bars, such as ``tqdm.tqdm``, or listens (`running.control.Progress`); without it
                nothing is said.

        Returns:
            A report a step: what was done, fresh, and failed with its reason, by case.

        Raises:
            MissingStage: when a step lacks what an earlier one makes.
            BadInput: when another process holds the project; when cases are chosen for a training; or when
                settings do not fit each other, or a weight file that a step needs is not on this machine.
        """
        from clisc_engine.products.graph import STAGES
        from clisc_engine.stages.pipeline import run_stage
        from clisc_engine.stages.requirements import check_before, find_weights, refuse_a_choice

        if unknown := [step for step in (*steps, until or STAGES[-1]) if step not in STAGES]:
            raise BadInput(f"There is no step {unknown[0]!r}; the steps are {', '.join(STAGES)}.")
        if steps and until:
            raise BadInput("Name the steps, or the last one with until, not both.")
        last = STAGES.index(until) if until else len(STAGES) - 1
        chosen = [step for step in STAGES[: last + 1] if not steps or step in steps]
        named = _several(cases)
        for training in ("train", "self-train"):
            if training in chosen:
                refuse_a_choice(Control(cases=named), training, self._stored.base.root)
        asked = Control(device, check_precision(precision), cases=named, force=force)
        with self._held(asked, progress) as control:
            check_before(self._stored, chosen)
            find_weights(self._stored, chosen)
            return Reports(run_stage(step, self._stored, control) for step in chosen)

    def segment(
        self,
        *,
        splits: Sequence[str] = SPLITS,
        device: str = "auto",
        precision: Precision = "32",
        progress: Listener | None = None,
    ) -> Report:
        """Make ``masks/round2``, the final network's masks of the project's own cases, where they lack.

        Raises:
            MissingStage: when ``self-train`` has not run.
            BadInput: when there is no such split.
        """
        from clisc_engine.products.kinds import ROUND2, UNET_ROUND2
        from clisc_engine.stages.unet.prediction import predict_cases

        chosen = _splits(splits)
        with self._held(Control(device, check_precision(precision)), progress) as control:
            return predict_cases(self._stored, UNET_ROUND2, ROUND2, "segment", chosen, control)

    def evaluate(
        self,
        *,
        splits: Sequence[str] = ("test",),
        ablation: bool = False,
        device: str = "auto",
        precision: Precision = "32",
        progress: Listener | None = None,
    ) -> dict[str, Any]:
        """Measure every row against the reference masks; the document of ``clisc evaluate --json``.

        Its commands name no project.

        Raises:
            BadInput: when there is no such split, or no case of them has a reference.
        """
        from clisc_engine.stages.pipeline import run_evaluation

        chosen = _splits(splits)
        with self._held(Control(device, check_precision(precision)), progress) as control:
            return run_evaluation(self._stored, control, ablation=ablation, splits=chosen)

    @contextmanager
    def _held(self, control: Control, progress: Listener | None) -> Iterator[Control]:
        """The control of one call that holds the project's lock."""
        stop, told = StopFlag(), listener(progress)
        held = hold(self.path, "a script", say=told.say, lost=lambda why: setattr(stop, "reason", why))
        with held, interruptible(stop):
            control = replace(control, progress=told, stop=stop)
            cut_short.clear(self.path, control.check_may_write, told.say)
            self._stored = open_stored(self.path)  # whoever held the lock may have changed its settings
            self._stored.store.check_may_write = control.check_may_write
            yield control


def _several(names: Sequence[str | Case]) -> tuple[str, ...]:
    """The names; a string is one of them, not its letters, and a case has one."""
    given = (names,) if isinstance(names, (str, Case)) else names
    return tuple(one.name if isinstance(one, Case) else one for one in given)


def _splits(names: Sequence[str]) -> tuple[str, ...]:
    """The splits of these names.

    Raises:
        BadInput: when there is no such split, or none is named.
    """
    chosen = _several(names)
    if not chosen:
        raise BadInput(f"No split is named; there are {', '.join(SPLITS)}.")
    for name in chosen:
        if name not in SPLITS:
            raise BadInput(f"There is no split {name!r}; there are {', '.join(SPLITS)}.")
    return chosen


def open_project(path: Path | str | None = None) -> Project:
    """The project at ``path``, else at ``$CLISC_PROJECT``, else around the current folder.

    Raises:
        MissingStage: when there is no project there.
        BadInput: when its clisc.toml is not valid.
    """
    return Project(path)
