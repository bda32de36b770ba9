"""From CLIP's probabilities of a volume to the labels of its slices, as the settings say."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clisc_engine.core.labelling import Vote, slice_labels, smoothed
from clisc_engine.settings.label import LabelSettings


def labels_of(
    probability: npt.NDArray[np.floating],
    has_brain: npt.NDArray[np.bool_],
    distance: float,
    asked: LabelSettings,
) -> npt.NDArray[np.uint8]:
    """The labels (Z,) that follow from CLIP's probabilities (Z,), by the settings; see `slice_labels`.

    Args:
        probability: (Z,) tumour probability in [0, 1].
        has_brain: (Z,) whether the slice holds brain tissue.
        distance: of the slices in mm.
        asked: how they are smoothed, what is sure enough, and who votes.
    """
    return slice_labels(
        smoothed(probability, has_brain, asked.smoothing / distance),
        has_brain,
        confidence=asked.confidence,
        vote=vote_of(asked, distance),
    )


def vote_of(asked: LabelSettings, distance: float) -> Vote:
    """The vote that the settings ask for, of slices with this distance in mm."""
    return Vote(asked.vote_reach, asked.vote_window, asked.vote_quorum).for_spacing(distance)
