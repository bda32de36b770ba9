"""Slice labels from CLIP's probabilities: a confidence threshold, then a vote of the neighbours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

NORMAL, TUMOUR, UNCERTAIN = 0, 1, 255


def slice_labels(
    probability: npt.NDArray[np.floating],
    has_brain: npt.NDArray[np.bool_],
    *,
    confidence: float = 0.6,
    reach: int = 5,
    window: int = 6,
    quorum: int = 8,
) -> npt.NDArray[np.uint8]:
    """Label each slice of one volume.

    A slice is kept when the larger of its two probabilities reaches ``confidence``. Each kept slice
    then takes the majority of its kept neighbours, the ``reach`` before it and the ``reach`` after it
    in the list of kept slices that lie at most ``window`` positions away in z, when more than
    ``quorum`` of them exist; a tie leaves it as it is. Votes count the labels before any vote. Slices
    without brain are normal and do not vote. The rule and its values are those of the CLISC authors'
    released code.

    Args:
        probability: (Z,) tumour probability in [0, 1].
        has_brain: (Z,) whether the slice holds brain tissue.
        confidence: in [0.5, 1].
        reach: voters on each side; 0 turns the vote off.
        window: how many slices away a voter may lie.
        quorum: the vote holds when more than this many voters exist.

    Returns:
        (Z,) uint8: 0 normal, 1 tumour, 255 uncertain.
    """
    probability = np.asarray(probability, dtype=np.float64)
    labels = np.full(len(probability), UNCERTAIN, np.uint8)
    kept = np.flatnonzero(has_brain & (np.maximum(probability, 1 - probability) >= confidence))
    first = (probability[kept] > 0.5).astype(np.uint8)
    labels[kept] = [_voted(index, kept, first, reach, window, quorum) for index in range(len(kept))]
    labels[~np.asarray(has_brain, bool)] = NORMAL
    return labels


def _voted(
    index: int,
    kept: npt.NDArray[np.intp],
    first: npt.NDArray[np.uint8],
    reach: int,
    window: int,
    quorum: int,
) -> int:
    low, high = max(0, index - reach), min(len(kept), index + reach + 1)
    near = np.abs(kept[low:high] - kept[index]) <= window
    near[index - low] = False
    voters = first[low:high][near]
    if len(voters) <= quorum or 2 * voters.sum() == len(voters):
        return int(first[index])
    return int(2 * voters.sum() > len(voters))
