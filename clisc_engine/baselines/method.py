"""What a rival that learns from normal slices offers, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control


@dataclass(frozen=True)
class NormalCase:
    """A train case and which of its slices count as normal.

    Attributes:
        case: its arrays, without the reference.
        normal: (Z,), one flag a slice.
    """

    case: CaseArrays
    normal: npt.NDArray[np.bool_]


class Mapper(Protocol):
    """Makes a method's map of one case after the other."""

    def load(self) -> None:
        """Load the trained networks. Called once, and only if some case has work to do."""

    def map(self, image: npt.NDArray[Any], spacing: Sequence[float], name: str) -> npt.NDArray[np.float32]:
        """The map (Z, Y, X) of a stored image (Z, Y, X): the higher, the less normal; 0 outside the brain.

        Args:
            image: z-scored, cropped to the brain, background exactly 0.
            spacing: (z, y, x) in mm.
            name: of the case; together with the project's seed it seeds every draw.
        """


Train: TypeAlias = Callable[[Project, str, Sequence[NormalCase], dict[str, str], Control], None]
"""Trains a network of this name on normal slices; the provenance is what it is made from."""

MapperOf: TypeAlias = Callable[[Project, str, Control], Mapper]
"""The mapper of a trained network of this name."""


@dataclass(frozen=True)
class MapRow:
    """A row of Table 1 that a network's maps give.

    Attributes:
        row: its name, e.g. ``amcons``.
        train: trains its network.
        mapper: makes its maps.
    """

    row: str
    train: Train
    mapper: MapperOf
