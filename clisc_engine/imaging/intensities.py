"""Intensities that are none of an MR volume: absurd, constant, or labels of a mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine.errors import BadInput

MAX_INTENSITY = 1e12
"""No scanner and no scaling of its values gives more."""

MIN_CONTRAST = 1e-12
"""Nor does it give less between darkest and brightest."""

SAME = 1e-6
"""Relative difference of intensities that is none."""

FEW_VALUES = 10
"""A brain with fewer different values is a mask or a map of labels."""

PATCHY = 0.7
"""Of neighbouring voxels in each direction, more than this share alike makes a map of labels."""

OUTLYING = 2.0
"""A standard deviation of so many times the range of 98 % of the voxels comes of the other 2 %."""

_SAMPLE = 50_000


def check_intensities(path: Path, array: npt.NDArray[Any]) -> None:
    """Refuse a volume of one value, or of absurd ones.

    Raises:
        BadInput: naming the file.
    """
    low, high = float(array.min()), float(array.max())
    if low == high == 0:
        raise BadInput(f"{path} is zero everywhere; export it again or leave it out.")
    if low == high:
        raise BadInput(f"{path} has the same value {low:g} everywhere; leave it out.")
    if max(-low, high) > MAX_INTENSITY or high - low < MIN_CONTRAST:
        raise BadInput(
            f"{path} holds intensities from {low:g} to {high:g}, which no scanner makes; repair it or "
            "leave it out."
        )


def check_brain(inside: npt.NDArray[np.float32], deviation: float, source: str) -> None:
    """Refuse intensities of a brain that are too few or too uneven to be normalised.

    Args:
        inside: the brain's voxels, the brightest ones clipped.
        deviation: their standard deviation.
        source: for the message.

    Raises:
        BadInput: naming the source.
    """
    sample = inside[:: max(1, inside.size // _SAMPLE)]
    low, high = (float(value) for value in np.percentile(sample, (1, 99)))
    if not max(deviation, high - low) > SAME * max(abs(low), abs(high)):
        raise BadInput(f"{source} has the same intensity in all of the brain; it may be a mask.")
    if deviation > OUTLYING * (high - low):
        extreme = max(float(inside.max()), float(inside.min()), key=abs)
        raise BadInput(
            f"{source} has a few voxels of up to {extreme:g} in the brain, where nearly all others lie "
            f"between {low:g} and {high:g}; it may be a mask, or needs repair."
        )
    if (found := np.unique(sample).size) < FEW_VALUES:
        raise BadInput(
            f"{source} has only {found} different values in the brain; it may be a mask or a map of labels."
        )


def check_patches(array: npt.NDArray[np.float32], brain: npt.NDArray[np.bool_], source: str) -> None:
    """Refuse a (Z, Y, X) volume that is a map of labels: neighbours in the brain are nearly always alike.

    Raises:
        BadInput: naming the source.
    """
    if min(_alike(array, brain, axis) for axis in range(3)) > PATCHY:
        raise BadInput(
            f"{source} has patches of the same value all over the brain; it may be a map of labels."
        )


def _alike(array: npt.NDArray[np.float32], brain: npt.NDArray[np.bool_], axis: int) -> float:
    """Of neighbours along an axis, both in the brain, the share that is alike; looked at in some planes."""
    planes: list[slice] = [slice(None)] * 3
    planes[0 if axis else 1] = slice(None, None, 3)
    image = np.moveaxis(array[tuple(planes)], axis, 0)
    inside = np.moveaxis(brain[tuple(planes)], axis, 0)
    both = inside[1:] & inside[:-1]
    alike = np.count_nonzero((image[1:] == image[:-1]) & both)
    return float(alike) / max(1.0, float(np.count_nonzero(both)))
