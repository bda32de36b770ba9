"""Thresholds of anomaly maps that no pixel's label is needed for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from clisc_engine.core.labelling import NORMAL

CANDIDATES = 64
"""How many thresholds `agreeing` tries."""


def cut(
    found: npt.NDArray[np.floating],
    brain: npt.NDArray[np.bool_],
    value: float,
    gate: npt.NDArray[np.uint8] | None = None,
) -> npt.NDArray[np.bool_]:
    """Where a map is over a threshold, within the brain (Z, Y, X).

    Args:
        found: the map (Z, Y, X).
        brain: (Z, Y, X).
        value: the threshold.
        gate: labels (Z,) of the slices, of which those called normal stay empty; None lets all through.
    """
    mask = brain & (found.astype(np.float32) > value)
    if gate is not None:
        mask[gate == NORMAL] = False
    return mask


def agreeing(
    maps: Sequence[npt.NDArray[np.floating]],
    tumour: Sequence[npt.NDArray[np.bool_]],
    pixel_areas: Sequence[float],
    least_area: float = 20.0,
) -> float:
    """The threshold at which "this slice has a lesion" agrees best with slice labels.

    A slice has one when, after an opening by 3 x 3 pixels, at least ``least_area`` mm2 lie over the
    threshold. Agreement is the balanced accuracy, the mean of sensitivity and specificity. The candidates
    lie between quantiles of the slices' maxima after a grey-scale opening of the same shape, so that a hot
    pixel counts for nothing; of equally good ones the lowest wins.

    Args:
        maps: (N, Y, X) of each case, N its labelled slices.
        tumour: (N,) of each case, whether a slice is labelled tumour.
        pixel_areas: of each case, in mm2.
        least_area: in mm2.

    Raises:
        ValueError: when the labels are all the same, so that nothing can agree.
    """
    labels = np.concatenate([np.zeros(0, bool), *tumour])
    if labels.all() or not labels.any():
        raise ValueError("all slices have the same label")
    peaks = np.concatenate([_peaks(one) for one in maps])
    levels = np.unique(np.quantile(peaks, np.linspace(0, 1, CANDIDATES)))
    candidates = np.concatenate([[np.nextafter(levels[0], -np.inf)], (levels[:-1] + levels[1:]) / 2])
    scores = [
        _balanced_accuracy(
            np.concatenate(
                [
                    _opened_area(one > candidate) * area >= least_area
                    for one, area in zip(maps, pixel_areas, strict=True)
                ]
            ),
            labels,
        )
        for candidate in candidates
    ]
    return float(candidates[int(np.argmax(scores))])


def _peaks(maps: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The highest value of each slice (N, Y, X) that an area of 3 x 3 pixels reaches."""
    from scipy import ndimage

    opened = ndimage.grey_opening(maps.astype(np.float32), (1, 3, 3))
    return opened.reshape(len(maps), -1).max(axis=1).astype(np.float64)


def _opened_area(over: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Pixels that are left of each slice (N, Y, X) after an opening by 3 x 3."""
    from scipy import ndimage

    opened = ndimage.binary_opening(over, np.ones((1, 3, 3), bool))
    return np.count_nonzero(opened, axis=(1, 2))


def _balanced_accuracy(found: npt.NDArray[np.bool_], labels: npt.NDArray[np.bool_]) -> float:
    return float(found[labels].mean() + (~found[~labels]).mean()) / 2
