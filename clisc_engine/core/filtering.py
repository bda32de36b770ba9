"""SAM-Seg similarity-based filtering, S3F (paper section 2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


def dice(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Dice similarity ``2 |A and B| / (|A| + |B|)`` of two masks; 1 when both are empty."""
    first, second = np.asarray(a) != 0, np.asarray(b) != 0
    total = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / total if total else 1.0


def s3f_keep(scores: Mapping[str, float], p: float) -> set[str]:
    """The cases whose score is not under the p-th percentile of all scores.

    Args:
        scores: similarity of SAM's answer and the network's prediction by case.
        p: percentage in [0, 100); 0 keeps all. The best case is always kept.
    """
    if not scores:
        return set()
    cut = np.percentile(list(scores.values()), p)
    return {name for name, score in scores.items() if score >= cut}
