"""The threshold of an anomaly map that agrees best with references, over all voxels of all cases at once.

AMCons, GradCAMCons and 3D IF published results at such a threshold, best pooled F1 on the references
that they were measured against [code]; it is an upper bound, and nothing that a user without labels has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_CODES = 1 << 16
_SIGN = 1 << 15


@dataclass(frozen=True)
class BestF1:
    """A threshold and what it reaches: a voxel is marked where its value lies over ``threshold``.

    Attributes:
        threshold: a value of the maps; -inf when marking every voxel is best.
        f1: pooled over all voxels, in [0, 1].
    """

    threshold: float
    f1: float


class PooledCounts:
    """How many voxels inside and outside the references have each value.

    Maps are float16, which has 65 536 values: two counts for each are exact over any number of voxels,
    in a megabyte.
    """

    def __init__(self) -> None:
        """No voxel yet."""
        self._inside = np.zeros(_CODES, np.int64)
        self._outside = np.zeros(_CODES, np.int64)

    def add(self, values: npt.NDArray[np.float16], inside: npt.NDArray[np.bool_]) -> None:
        """Count the voxels of a case.

        Args:
            values: of the map, in any shape, finite.
            inside: the reference at the same voxels.
        """
        codes = _codes(values.ravel())
        flags = inside.ravel()
        self._inside += np.bincount(codes[flags], minlength=_CODES)
        self._outside += np.bincount(codes[~flags], minlength=_CODES)

    def best(self) -> BestF1 | None:
        """The threshold of the highest F1, the highest such threshold; None without a voxel inside.

        F1 = 2 TP / (2 TP + FP + FN) = 2 TP / (marked + inside), over all voxels counted. Every value that
        occurs is tried, and also a threshold under them all.
        """
        present = np.flatnonzero(self._inside + self._outside)
        inside = self._inside[present]
        if not inside.any():
            return None
        # At place i the values from present[i] on are marked, so the threshold is the value before.
        true = np.concatenate([np.cumsum(inside[::-1])[::-1], [0]])
        marked = np.concatenate([np.cumsum((inside + self._outside[present])[::-1])[::-1], [0]])
        scores = 2 * true / (marked + inside.sum())
        index = len(scores) - 1 - int(np.argmax(scores[::-1]))
        threshold = float(_values(present[index - 1 : index])[0]) if index else -np.inf
        return BestF1(threshold, float(scores[index]))


def best_f1(cases: Iterable[tuple[npt.NDArray[np.float16], npt.NDArray[np.bool_]]]) -> BestF1 | None:
    """The best threshold over the voxels of several cases, given as values and references."""
    counts = PooledCounts()
    for values, inside in cases:
        counts.add(values, inside)
    return counts.best()


def _codes(values: npt.NDArray[np.float16]) -> npt.NDArray[np.intp]:
    """Numbers in the order of the values: the bits of a float, with those of negative ones turned round.

    Zero with a minus sign counts as zero.
    """
    bits = (np.ascontiguousarray(values) + np.float16(0)).view(np.uint16).astype(np.intp)
    return np.where(bits & _SIGN, _CODES - 1 - bits, bits + _SIGN)


def _values(codes: npt.NDArray[np.intp]) -> npt.NDArray[np.float16]:
    """The values of such numbers."""
    bits = np.where(codes >= _SIGN, codes - _SIGN, _CODES - 1 - codes)
    return bits.astype(np.uint16).view(np.float16)
