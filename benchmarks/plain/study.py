"""The files of a study, a folder for each case."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK

from benchmarks.volumes import SPACING, write
from clisc_engine.core.labelling import UNCERTAIN
from clisc_engine.imaging.geometry import Volume, geometry_of
from clisc_engine.imaging.preprocess import preprocess
from clisc_engine.settings.schema import Settings
from clisc_engine.stages.classifier.slices import windowed

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Study:
    """Cases, their files, and the settings of the method.

    Attributes:
        root: a folder a case lies here.
        settings: as a project's.
        names: of the cases.
    """

    root: Path
    settings: Settings
    names: tuple[str, ...]

    def path(self, name: str, what: str) -> Path:
        """The file of one volume, e.g. the image of a case."""
        return self.root / name / f"{what}.nii.gz"

    def read(self, name: str, what: str) -> Array:
        """A volume (Z, Y, X) from its file."""
        return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(self.path(name, what))))

    def write(self, name: str, what: str, volume: Array) -> None:
        """A volume into its file."""
        write(self.path(name, what), volume)

    def slices(self, name: str) -> npt.NDArray[np.uint8]:
        """The windowed slices (Z, Y, X) of a case's image."""
        return windowed(self.read(name, "image"), self.settings.window)

    def labels(self, name: str) -> npt.NDArray[np.uint8]:
        """The labels (Z,) of a case's slices."""
        return np.load(self.root / name / "labels.npy")

    def keep_labels(self, name: str, labels: npt.NDArray[np.uint8]) -> None:
        """Labels (Z,) into their file."""
        np.save(self.root / name / "labels.npy", labels)

    def certain(self, name: str) -> list[int]:
        """The slices of a case that hold brain and whose label is certain."""
        brain = (self.read(name, "image") != 0).any(axis=(1, 2))
        return np.flatnonzero(brain & (self.labels(name) != UNCERTAIN)).tolist()

    def box(self, name: str) -> tuple[slice, ...]:
        """Where a case's image lies in the file that it came from."""
        found = json.loads((self.root / name / "box.json").read_text(encoding="utf-8"))
        return tuple(slice(*side) for side in found)

    def normalise(self, files: Path) -> None:
        """Step 0: each ``NAME_flair.nii.gz`` cropped to the brain and normalised, kept as a file."""
        for name in self.names:
            image = SimpleITK.ReadImage(str(files / f"{name}_flair.nii.gz"))
            volume = Volume(SimpleITK.GetArrayFromImage(image), geometry_of(image), name)
            values, spacing, placement = preprocess(volume)
            assert spacing == SPACING
            self.write(name, "image", values.astype(np.float16).astype(np.float32))
            (self.root / name / "box.json").write_text(json.dumps(placement.crop), encoding="utf-8")
