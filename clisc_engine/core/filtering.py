"""SAM-Seg similarity-based filtering, S3F (paper section 2.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine.core.overlap import dice


def s3f_similarity(prediction: npt.NDArray[Any], answer: npt.NDArray[Any], *, ill: bool) -> float:
    """How far the network and SAM agree on a volume, for S3F: their masks' Dice, in [0, 1].

    Two empty masks of an ill volume count 0. S3F takes agreement for quality, but SAM is prompted by the
    prediction: where that is empty SAM is never asked, so its empty mask confirms nothing, and CLIP
    contradicts it. Where CLIP sees no tumour either, an empty mask is what all of them say, and counts 1.

    Args:
        prediction: round 1's mask.
        answer: SAM's mask for prompts from it, of the same shape.
        ill: whether CLIP says that any slice of the volume shows a tumour.
    """
    if ill and not np.any(prediction) and not np.any(answer):
        return 0.0
    return dice(prediction, answer)


def s3f_keep(scores: Mapping[str, float], p: float) -> set[str]:
    """The cases whose score is not under the p-th percentile of all scores.

    Where so many score 0 that the percentile is 0, these go too: to agree on nothing is never enough,
    as long as another case is better.

    Args:
        scores: similarity of SAM's answer and the network's prediction by case.
        p: percentage in [0, 100); 0 keeps all. The best case is always kept.
    """
    if not scores:
        return set()
    cut = percentile(list(scores.values()), p)
    nothing = p > 0 and max(scores.values()) > 0
    return {name for name, score in scores.items() if score >= cut and (score > 0 or not nothing)}


def percentile(values: Sequence[float], p: float) -> float:
    """The p-th percentile as `numpy.percentile` gives it by default, to the bit, for plain finite numbers.

    NumPy's own imports its masked arrays, which takes longer than most calls of clisc that find nothing
    to do.
    """
    ordered = sorted(values)
    place = (len(ordered) - 1) * (p / 100)
    below = min(math.floor(place), len(ordered) - 1)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    share, gap = place - below, high - low
    return high - gap * (1 - share) if share >= 0.5 else low + gap * share
