"""The public Python surface: what ``import clisc_engine`` offers to scripts and notebooks.

Everything else in this package is internal and may change with any version.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from clisc_engine.errors import BadInput
from clisc_engine.project.lock import hold
from clisc_engine.project.project import CaseArrays, clear_staging
from clisc_engine.project.project import open_project as open_stored
from clisc_engine.running.control import Control, Progress, Silent, StopFlag
from clisc_engine.running.runner import Report, missing_message
from clisc_engine.settings.schema import Settings

if TYPE_CHECKING:
    import SimpleITK as sitk

    from clisc_engine.upkeep.status import StageStatus

Step = Literal["label", "cam", "amda", "prompt-sam", "train", "self-train"]
MAPS = {"cam": "cams/raw", "amda": "cams/amda"}
"""The maps that `Case.map` gives, by the step that makes them."""


@dataclass(frozen=True)
class Segmentation:
    """What `predict` found in one volume, on the grid of its file.

    Attributes:
        mask: (Z, Y, X) uint8, 1 in the tumour.
        probability: (Z, Y, X) float32 in [0, 1], 0 outside the brain.
        volume_ml: of the mask.
        notes: sentences about the file, e.g. what of it was left out.
        image: the mask as a SimpleITK image on the file's grid, origin and directions included.
    """

    mask: npt.NDArray[np.uint8]
    probability: npt.NDArray[np.float32]
    volume_ml: float
    notes: tuple[str, ...]
    image: sitk.Image


@dataclass(frozen=True)
class Case:
    """One case of a project: its stored volume and what the steps made of it.

    Arrays are (Z, Y, X) on the stored grid, which is the axial, brain-cropped part of the source's;
    `on_source_grid` brings them back. Reference masks are not here: `Project.evaluate` alone reads them.
    """

    _arrays: CaseArrays

    @property
    def name(self) -> str:
        """The case's name."""
        return self._arrays.info.name

    @property
    def split(self) -> str:
        """Train, valid or test."""
        return self._arrays.info.split

    @property
    def spacing(self) -> tuple[float, float, float]:
        """(z, y, x) in mm of the stored grid."""
        return self._arrays.info.spacing

    @property
    def source(self) -> Path:
        """The file or DICOM folder that was imported."""
        return Path(self._arrays.info.source)

    @property
    def image(self) -> npt.NDArray[np.float32]:
        """The normalised volume: brain with mean 0 and deviation 1, background exactly 0."""
        return self._read("image").astype(np.float32)

    @property
    def probabilities(self) -> npt.NDArray[np.float32]:
        """(Z,) CLIP's probability that a slice shows a tumour, in [0, 1]."""
        return self._read("labels/probability").astype(np.float32)

    @property
    def labels(self) -> npt.NDArray[np.uint8]:
        """(Z,) the slices' labels: 0 normal, 1 tumour, 255 uncertain."""
        return self._read("labels/tumour").astype(np.uint8)

    def map(self, step: Literal["cam", "amda"] = "amda") -> npt.NDArray[np.float32]:
        """The class activation map of a step, in [0, 1].

        Raises:
            MissingStage: when the step has not run.
        """
        return self._read(MAPS[step]).astype(np.float32) / np.float32(255)

    def mask(self, which: str = "round2") -> npt.NDArray[np.uint8]:
        """A mask, 0 or 1: ``sam``, ``round1``, ``sam-round1``, or ``round2``, which is the result.

        Raises:
            MissingStage: when it is not made yet.
        """
        return (self._read(f"masks/{which}") != 0).astype(np.uint8)

    def volume_ml(self, which: str = "round2") -> float:
        """Volume of a mask in millilitres."""
        return float(self.mask(which).sum() * np.prod(self.spacing) / 1000)

    def on_source_grid(self, array: npt.NDArray[Any]) -> sitk.Image:
        """A stored (Z, Y, X) array as an image on the source's own grid; 0 outside the stored box."""
        from clisc_engine.imaging.geometry import to_sitk
        from clisc_engine.imaging.preprocess import Placement, restore

        placement = Placement.from_dict(self._arrays.info.placement)
        return to_sitk(restore(array, placement), placement.source)

    def _read(self, array: str) -> npt.NDArray[Any]:
        from clisc_engine.errors import MissingStage

        if self._arrays.seal(array) is None:
            raise MissingStage(missing_message(self._arrays, array))
        return self._arrays.read(array)


class Project:
    """A project folder made by ``clisc init``; `open` gives one.

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
            progress: hears how far it is; nobody by default.

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
        splits: Sequence[str] = ("train", "valid", "test"),
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
            return predict_cases(self._stored, UNET_ROUND2, ROUND2, "evaluate", tuple(splits), control)

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
        from dataclasses import replace

        stop, listener = StopFlag(), progress or Silent()
        held = hold(self.path, "a script", say=listener.say, lost=lambda why: setattr(stop, "reason", why))
        with held:
            clear_staging(self.path)
            self._stored = open_stored(self.path)  # whoever held the lock may have changed its settings
            control = replace(control, progress=listener, stop=stop)
            self._stored.store.check_may_write = control.check_may_write
            yield control


def open_project(path: Path | str | None = None) -> Project:
    """The project at ``path``, else at ``$CLISC_PROJECT``, else around the current folder.

    Raises:
        MissingStage: when there is no project there.
        BadInput: when its clisc.toml is not valid.
    """
    return Project(path)


def predict(
    model: Path | str,
    image: Path | str,
    *,
    network: Literal["unet-round1", "unet-round2"] = "unet-round2",
    channel: int | None = None,
    device: str = "auto",
) -> Segmentation:
    """Segment one volume with a project's network or with a file by ``clisc export model``.

    Args:
        model: project folder, or ``*.clisc`` file.
        image: skull-stripped FLAIR: an image file or a DICOM folder.
        network: which of a project's networks.
        channel: which volume of a 4-D file, counted from 0.
        device: auto, cpu, cuda, cuda:N or mps.

    Raises:
        MissingStage: when the project has not trained the network.
        BadInput: when the volume cannot be used.
    """
    from clisc_engine.imaging.geometry import to_sitk
    from clisc_engine.results.segmenter import open_segmenter

    segmenter = open_segmenter(Path(model), network, Control(device))
    found = segmenter.predict(Path(image), channel)
    return Segmentation(
        found.mask, found.probability, found.volume_ml, found.notes, to_sitk(found.mask, found.geometry)
    )
