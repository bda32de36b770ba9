"""What must be told of an axial slice that is shown: sides of the patient, scale, place in the source."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from clisc_engine.imaging.placement import Placement

TILTED = 5.0
"""Degrees between a slice's axis and the patient's from which on the letters are said to be the nearest."""

BAR_SHARE = 0.4
"""Part of a slice's width that its scale bar takes at most."""

_ENDS = (("R", "L"), ("A", "P"), ("I", "S"))
"""Where the patient's axes come from and lead to, in SimpleITK's convention (LPS)."""

_SIDES = {"R": "right", "L": "left", "A": "front", "P": "back", "I": "feet", "S": "head"}


@dataclass(frozen=True)
class AxialView:
    """How stored slices are shown: columns to the right, rows downwards, as (Z, Y, X) arrays have them.

    Attributes:
        left: letter of the patient's side at the left edge: R, L, A, P, I or S.
        right: at the right edge.
        top: at the upper edge.
        bottom: at the lower edge.
        tilt: degrees by which the patient's axes are off the edges that are named after them, at most.
        pixel: height and width of a pixel in mm.
        first: the source's axial slice that is the first stored one, counted from 0, the lowest.
    """

    left: str
    right: str
    top: str
    bottom: str
    tilt: float
    pixel: tuple[float, float]
    first: int

    @classmethod
    def of(cls, placement: Placement) -> AxialView:
        """The view of the volume with this placement; its letters follow from the grid's directions."""
        matrix = placement.grid.matrix
        likeness = np.abs(matrix)
        # Each axis of the grid gets an axis of the patient of its own, also where two are nearly as near.
        nearest = max(
            itertools.permutations(range(3)), key=lambda p: sum(likeness[p[a], a] for a in range(3))
        )
        ends = [
            _ENDS[patient] if matrix[patient, axis] > 0 else _ENDS[patient][::-1]
            for axis, patient in enumerate(nearest)
        ]
        off = [math.acos(min(1.0, float(likeness[nearest[axis], axis]))) for axis in (0, 1)]
        _, height, width = placement.spacing
        (left, right), (top, bottom) = ends[0], ends[1]
        tilt = math.degrees(max(off))
        return cls(left, right, top, bottom, tilt, (height, width), placement.crop[0][0])

    @property
    def aspect(self) -> float:
        """Height of a pixel over its width."""
        return self.pixel[0] / self.pixel[1]

    @property
    def convention(self) -> str:
        """What the left edge shows, by the convention's name where it has one."""
        name = {"R": "radiological: ", "L": "neurological: "}.get(self.left, "")
        return f"{name}patient's {_SIDES[self.left]} on the left"

    @property
    def caution(self) -> str:
        """That the letters are of the nearest axes alone, with the angle; empty where they are the axes."""
        if self.tilt < TILTED:
            return ""
        return f"oblique: letters name the nearest sides, up to {self.tilt:.0f}° off"

    def axial_slice(self, z: int) -> int:
        """The source's axial slice that is stored as the slice ``z``."""
        return self.first + z

    def bar(self, columns: int) -> float:
        """Length in mm of the scale bar of slices with so many columns: 1, 2 or 5 times a power of ten."""
        most = BAR_SHARE * columns * self.pixel[1]
        power = 10.0 ** math.floor(math.log10(most))
        return power * max(factor for factor in (1, 2, 5) if power * factor <= most * (1 + 1e-9))
