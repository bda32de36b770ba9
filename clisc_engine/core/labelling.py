"""Slice labels from CLIP's probabilities: smoothing, a confidence threshold, a vote of the neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NORMAL, TUMOUR, UNCERTAIN = 0, 1, 255
NARROW = "a window under the reach holds"
"""How thick slices vote where `Vote.window` is under `Vote.reach`; earlier versions widened it to that."""


@dataclass(frozen=True)
class Vote:
    """How neighbours vote on a slice.

    Attributes:
        reach: voters on each side; 0 turns the vote off.
        window: how many slices away a voter may lie.
        quorum: the vote holds when more than this many voters exist.
    """

    reach: int = 5
    window: int = 6
    quorum: int = 8

    def for_spacing(self, spacing: float) -> Vote:
        """The same vote over the same millimetres, when these numbers stand for slices of 1 mm.

        Ten neighbours of thick slices would reach far beyond most tumours and vote them away.

        Args:
            spacing: distance of the slices in mm; thinner than 1 mm counts as 1.
        """
        if self.reach == 0 or spacing <= 1:
            return self
        reach = max(1, round(self.reach / spacing))
        window = max(1, round(self.window / spacing))
        return Vote(reach, window, self.quorum * reach // self.reach)

    def never_holds(self) -> bool:
        """Whether the quorum asks for more voters than there can be, where there is to be a vote."""
        return self.reach > 0 and self.quorum >= 2 * min(self.reach, self.window)


RELEASED_VOTE = Vote()
"""The released code's vote, made for BraTS's slices of 1 mm."""


def smoothed(
    probability: npt.NDArray[np.floating], has_brain: npt.NDArray[np.bool_], sigma: float
) -> npt.NDArray[np.float64]:
    """Each slice's probability averaged with its neighbours', by a Gaussian of their distance.

    What CLIP thinks of a slice jumps from one to the next, but a tumour goes on over several. Only slices
    with brain are averaged, and only over each other; so at the ends fewer count, and none stands in for
    what is not there. Not of the paper.

    Args:
        probability: (Z,) in [0, 1].
        has_brain: (Z,) whether the slice holds brain tissue.
        sigma: standard deviation in slices; 0 leaves all as it is.

    Returns:
        (Z,), as it was where there is no brain.
    """
    found = np.array(probability, dtype=np.float64)
    if sigma == 0:
        return found
    places = np.flatnonzero(has_brain)
    distance = np.subtract.outer(places, places) / sigma
    weights = np.exp(-0.5 * distance**2)
    found[places] = weights @ found[places] / weights.sum(axis=1)
    return found


def slice_labels(
    probability: npt.NDArray[np.floating],
    has_brain: npt.NDArray[np.bool_],
    *,
    confidence: float = 0.6,
    vote: Vote = RELEASED_VOTE,
) -> npt.NDArray[np.uint8]:
    """Label each slice of one volume.

    A slice is kept when the larger of its two probabilities reaches ``confidence``. Each kept slice
    then takes the majority of its kept neighbours, the ``vote.reach`` before it and as many after it
    in the list of kept slices that lie at most ``vote.window`` positions away in z, when more than
    ``vote.quorum`` of them exist; a tie leaves it as it is. Votes count the labels before any vote. Slices
    without brain are normal and do not vote. The rule and its values are those of the CLISC authors'
    released code.

    Args:
        probability: (Z,) tumour probability in [0, 1].
        has_brain: (Z,) whether the slice holds brain tissue.
        confidence: in [0.5, 1].
        vote: who votes, and when the vote holds.

    Returns:
        (Z,) uint8: 0 normal, 1 tumour, 255 uncertain.
    """
    probability = np.asarray(probability, dtype=np.float64)
    labels = np.full(len(probability), UNCERTAIN, np.uint8)
    kept = np.flatnonzero(has_brain & (np.maximum(probability, 1 - probability) >= confidence))
    first = (probability[kept] > 0.5).astype(np.uint8)
    labels[kept] = [_voted(index, kept, first, vote) for index in range(len(kept))]
    labels[~np.asarray(has_brain, bool)] = NORMAL
    return labels


def _voted(
    index: int,
    kept: npt.NDArray[np.intp],
    first: npt.NDArray[np.uint8],
    vote: Vote,
) -> int:
    low, high = max(0, index - vote.reach), min(len(kept), index + vote.reach + 1)
    near = np.abs(kept[low:high] - kept[index]) <= vote.window
    near[index - low] = False
    voters = first[low:high][near]
    if len(voters) <= vote.quorum or 2 * voters.sum() == len(voters):
        return int(first[index])
    return int(2 * voters.sum() > len(voters))
