"""The 8-bit slices that CLIP, the classifier and SAM see, and those that the classifier learns from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clisc_engine.core.brain import brain_of
from clisc_engine.core.labelling import UNCERTAIN
from clisc_engine.imaging.window import square, window_to_uint8
from clisc_engine.products.kinds import IMAGE, LABELS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.running.read_ahead import Ahead, read_ahead
from clisc_engine.settings.schema import WindowSettings

if TYPE_CHECKING:
    from torch import Tensor


def windowed(image: npt.NDArray[Any], window: WindowSettings) -> npt.NDArray[np.uint8]:
    """The (Z, Y, X) uint8 slices of a stored image; background 0, brain 1 to 255."""
    return window_to_uint8(image, window.low, window.high)


@dataclass(frozen=True)
class LabelledSlices:
    """Slices with a certain label.

    Attributes:
        slices: (N, S, S) uint8, squared to the classifier's input size.
        labels: (N,) int64, 0 normal or 1 tumour.
        versions: how often each slice is here: once, or with AMDA also as its masked copy.
    """

    slices: Tensor
    labels: Tensor
    versions: int = 1

    @classmethod
    def of(
        cls, slices: Sequence[npt.NDArray[np.uint8]], labels: Sequence[npt.NDArray[np.integer]], size: int
    ) -> LabelledSlices:
        """Those of several cases, (N, size, size) and (N,) each; there may be none."""
        import torch

        return cls(
            torch.from_numpy(np.concatenate([np.zeros((0, size, size), np.uint8), *slices])),
            torch.from_numpy(np.concatenate([np.zeros(0, np.int64), *labels]).astype(np.int64)),
        )

    def __len__(self) -> int:
        """How many slices."""
        return len(self.labels)

    def joined(self, other: LabelledSlices) -> LabelledSlices:
        """The union of both (the paper's augmented set)."""
        import torch

        return LabelledSlices(
            torch.cat([self.slices, other.slices]),
            torch.cat([self.labels, other.labels]),
            self.versions + other.versions,
        )


def arrays_of(
    cases: Sequence[CaseArrays], names: Sequence[str], control: Control
) -> Iterator[tuple[CaseArrays, list[npt.NDArray[Any]]]]:
    """Each case with the arrays of these names, read ahead of its turn."""

    def read(case: CaseArrays) -> list[npt.NDArray[Any]]:
        return [case.read(name) for name in names]

    with closing(read_ahead(map(Ahead, cases), read, control)) as found:
        for case, arrays in found:
            control.check_stop()
            yield case, arrays()


def certain_slices(image: npt.NDArray[Any], labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Which slices (Z,) of an image (Z, Y, X) hold brain and have a certain label of CLIP's (Z,)."""
    return (labels != UNCERTAIN) & brain_of(image).any(axis=(1, 2))


def labelled_slices(project: Project, cases: Sequence[CaseArrays], control: Control) -> LabelledSlices:
    """All slices of the cases that hold brain and have a certain CLIP label."""
    size = project.settings.classifier.image_size
    slices: list[npt.NDArray[np.uint8]] = []
    labels: list[npt.NDArray[np.uint8]] = []
    for _, (image, label) in arrays_of(cases, (IMAGE, LABELS), control):
        certain = certain_slices(image, label)
        slices.append(square(windowed(image, project.settings.window)[certain], size))
        labels.append(label[certain])
    return LabelledSlices.of(slices, labels, size)
