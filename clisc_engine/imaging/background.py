"""The background of a skull-stripped volume: the one value that surrounds the brain, 0 or any other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clisc_engine.errors import BadInput

Array = npt.NDArray[np.float32]

OF_VOLUME, OF_FACES = 0.25, 0.8
"""More than these shares of a skull-stripped volume, and of its faces, are background."""

NOISE = (1e-5, 1e-4)
"""Of the range of 99.8 % of the intensities: a background that was interpolated may differ by this from its
value, by the first if that will do."""

_SAMPLE = 200_000

PADDING, SOLID = 0.02, 0.9
"""A padding's share of the faces, at least, and how often a neighbour there has the same value."""


@dataclass(frozen=True)
class Background:
    """What a volume's background is.

    Attributes:
        value: of its voxels.
        tolerance: by how much they may differ from it; 0 where all have the very same value.
        surrounds: whether it surrounds the rest, as brain extraction leaves it.
    """

    value: float
    tolerance: float
    surrounds: bool

    def is_in(self, array: Array) -> npt.NDArray[np.bool_]:
        """Which voxels are background."""
        if self.tolerance:
            return np.abs(array - np.float32(self.value)) <= self.tolerance
        return array == np.float32(self.value)

    def told(self, path: Path) -> tuple[str, ...]:
        """What is to be said of it; nothing where it is 0."""
        if self.value == 0:
            return ()
        return (f"{path} has the background {self.value:g}: the brain is what differs from it.",)


def find_background(array: Array, source: str) -> Background:
    """The background of a (Z, Y, X) volume.

    It is 0 wherever 0 surrounds the brain; else the constant value that does. In a volume with its skull
    it is what was padded, else 0.

    Args:
        array: finite intensities.
        source: for the message.

    Raises:
        BadInput: when two values could be the background.
    """
    zero = Background(0.0, 0.0, True)
    if _surrounds(array, zero):
        _refuse_constant_slices(array, zero, source)
        return zero
    value = _middle(array)
    for noise in (0.0, *NOISE):
        tolerance = noise * _range(array) if noise else 0.0
        found = Background(value, tolerance, True)
        if _surrounds(array, found):
            _refuse_a_second(array, found, source)
            _refuse_constant_slices(array, found, source)
            return found
    return _padding(array, source)


def _surrounds(array: Array, background: Background) -> bool:
    """Whether it takes up most of the sides and enough of the volume; brains may be cut above and below."""
    if background.is_in(_sides(array)).mean() <= OF_FACES:
        return False
    return bool(np.count_nonzero(background.is_in(array)) > OF_VOLUME * array.size)


def _sides(array: Array) -> Array:
    """The voxels of the four sides."""
    return np.concatenate([np.take(array, index, axis).ravel() for axis in (1, 2) for index in (0, -1)])


def _middle(array: Array) -> float:
    """The median of the sides' voxels: the background, if most of them are."""
    sides = _sides(array)
    middle = sides.size // 2
    return float(np.partition(sides, middle)[middle])


def _range(array: Array) -> float:
    """Of all intensities but the lowest and highest 0.1 %, which a few spoilt voxels may be."""
    sample = array.ravel()[:: max(1, array.size // _SAMPLE)]
    low, high = np.percentile(sample, (0.1, 99.9))
    return float(high - low)


def _refuse_constant_slices(array: Array, found: Background, source: str) -> None:
    """Refuse slices in any direction that hold one value alone, which is not the background."""
    for axis, name in enumerate(("third", "second", "first")):
        planes = np.moveaxis(array, axis, 0)
        for index in np.flatnonzero(~found.is_in(planes[:, 0, 0]) & (planes[:, 0, 0] == planes[:, -1, -1])):
            value = planes[index, 0, 0]
            if (planes[index] == value).all():
                raise BadInput(
                    f"{source} holds the value {value:g} and nothing else in slice {index + 1} along its "
                    f"{name} axis, where {found.value:g} is the background elsewhere; repair it, or "
                    "leave it out."
                )


def _refuse_a_second(array: Array, found: Background, source: str) -> None:
    """Refuse what lies in a constant shell: it, or the shell, could be the background."""
    brain = ~found.is_in(array)
    edge = brain.copy()
    edge[1:-1, 1:-1, 1:-1] &= ~(
        brain[2:, 1:-1, 1:-1]
        & brain[:-2, 1:-1, 1:-1]
        & brain[1:-1, 2:, 1:-1]
        & brain[1:-1, :-2, 1:-1]
        & brain[1:-1, 1:-1, 2:]
        & brain[1:-1, 1:-1, :-2]
    )
    values, counts = np.unique(array[edge], return_counts=True)
    shell = values[counts.argmax()] if counts.size else np.float32(np.nan)
    if counts.max(initial=0) > edge.sum() / 2 and (array[brain] != shell).any():
        raise BadInput(
            f"{source} has two backgrounds: {found.value:g} at its border, and {shell:g} "
            "within. Set all of it outside the brain to 0."
        )


def _padding(array: Array, source: str) -> Background:
    """The background of a volume in which none surrounds the rest: its padding, or 0."""
    shares: dict[float, float] = {}
    faces = [np.take(array, index, axis) for axis in range(3) for index in (0, -1)]
    total = sum(face.size for face in faces)
    values, counts = np.unique(np.concatenate([face.ravel() for face in faces]), return_counts=True)
    for value in values[counts > PADDING * total]:
        same = [face == value for face in faces]
        pairs = sum(int(face[:, :-1].sum() + face[:-1].sum()) for face in same)
        alike = sum(int((f[:, :-1] & f[:, 1:]).sum() + (f[:-1] & f[1:]).sum()) for f in same)
        if alike > SOLID * pairs:
            shares[float(value)] = sum(int(face.sum()) for face in same) / total
    if len(shares) > 1:
        raise BadInput(
            f"{source} has several constant values at its border ({', '.join(f'{v:g}' for v in shares)}), "
            "and any could be its background. Set all of it outside the head to 0."
        )
    return Background(next(iter(shares), 0.0), 0.0, False)
