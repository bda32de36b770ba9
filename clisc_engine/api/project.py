"""A project, as scripts open and run it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from clisc_engine.api.case import Case
from clisc_engine.errors import BadInput
from clisc_engine.project.case_changes import settle
from clisc_engine.project.case_record import SPLITS
from clisc_engine.project.lock import hold
from clisc_engine.project.project import clear_staging
from clisc_engine.project.project import open_project as open_stored
from clisc_engine.running.control import Control, Progress, Silent, StopFlag
from clisc_engine.running.runner import Report
from clisc_engine.settings.schema import Settings

if TYPE_CHECKING:
    from clisc_engine.upkeep.status import StageStatus

Step = Literal["label", "cam", "amda", "prompt-sam", "train", "self-train"]


class Project:
    """A project folder made by ``clisc init``; `open_project` gives one.

    Iterating gives its cases by name. Steps hold the project's lock while they run, so that no other
    process writes at the same time.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        """Open the project at ``path``, else at ``$CLISC_PROJECT``, else around the current folder."""
        self._stored = open_stored(Path(path) if path is not None else None)

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
        return f"<clisc project {self.path}: {len(self)} cases, {self.settings.weights} weights>"

    def case(self, name: str) -> Case:
        """One case.

        Raises:
            BadInput: when there is none of this name.
        """
        return Case(self._stored.case(name))

    def status(self) -> list[StageStatus]:
        """How far each step is: state, cases, and why something is stale or missing."""
        from clisc_engine.upkeep.survey import survey

        return survey(self._stored)

    def run(
        self,
        *steps: Step,
        device: str = "auto",
        cases: Sequence[str] = (),
        force: bool = False,
        progress: Progress | None = None,
    ) -> list[Report]:
        """Run steps in the order of the method; what is fresh is skipped, what was interrupted goes on.

        Args:
            steps: all by default.
            device: auto, cpu, cuda, cuda:N or mps.
            cases: restrict per-case steps to these.
            force: remake what is fresh.
            progress: called with how far it is; nothing is called by default.

        Returns:
            A report a step: what was done, fresh, and failed with its reason, by case.

        Raises:
            MissingStage: when a step lacks what an earlier one makes.
            BadInput: when another process holds the project; or when cases are chosen for a training.
        """
        from clisc_engine.products.graph import STAGES
        from clisc_engine.stages.pipeline import run_stage
        from clisc_engine.stages.requirements import refuse_a_choice

        if unknown := set(steps) - set(STAGES):
            raise BadInput(f"There is no step {sorted(unknown)[0]!r}; the steps are {', '.join(STAGES)}.")
        for training in ("train", "self-train"):
            if not steps or training in steps:
                refuse_a_choice(Control(cases=tuple(cases)), training)
        with self._held(Control(device, cases=tuple(cases), force=force), progress) as control:
            return [run_stage(s, self._stored, control) for s in STAGES if not steps or s in steps]

    def segment(
        self,
        *,
        splits: Sequence[str] = SPLITS,
        device: str = "auto",
        progress: Progress | None = None,
    ) -> Report:
        """Make ``masks/round2``, the final network's masks of the project's own cases, where they lack.

        Raises:
            MissingStage: when ``self-train`` has not run.
        """
        from clisc_engine.products.kinds import ROUND2, UNET_ROUND2
        from clisc_engine.stages.unet.prediction import predict_cases

        with self._held(Control(device), progress) as control:
            return predict_cases(self._stored, UNET_ROUND2, ROUND2, "segment", tuple(splits), control)

    def evaluate(
        self,
        *,
        splits: Sequence[str] = ("test",),
        ablation: bool = False,
        device: str = "auto",
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Measure every row against the reference masks; the document of ``clisc evaluate --json``.

        Raises:
            BadInput: when no case of the splits has a reference.
        """
        from clisc_engine.stages.pipeline import run_evaluation

        with self._held(Control(device), progress) as control:
            return run_evaluation(self._stored, control, ablation=ablation, splits=tuple(splits))

    @contextmanager
    def _held(self, control: Control, progress: Progress | None) -> Iterator[Control]:
        """The control of one call that holds the project's lock."""
        stop, listener = StopFlag(), progress or Silent()
        held = hold(self.path, "a script", say=listener.say, lost=lambda why: setattr(stop, "reason", why))
        with held:
            clear_staging(self.path)
            self._stored = open_stored(self.path)  # whoever held the lock may have changed its settings
            control = replace(control, progress=listener, stop=stop)
            self._stored.store.check_may_write = control.check_may_write
            settle(self._stored)
            yield control


def open_project(path: Path | str | None = None) -> Project:
    """The project at ``path``, else at ``$CLISC_PROJECT``, else around the current folder.

    Raises:
        MissingStage: when there is no project there.
        BadInput: when its clisc.toml is not valid.
    """
    return Project(path)
