"""The Dice similarity of two masks (the paper's DSC), for evaluation, S3F and the choice of thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def dice(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Dice similarity ``2 |A and B| / (|A| + |B|)`` in [0, 1]; 1 when both are empty, 0 when one is."""
    first, second = np.asarray(a) != 0, np.asarray(b) != 0
    total = np.count_nonzero(first) + np.count_nonzero(second)
    return 2 * np.count_nonzero(first & second) / total if total else 1.0
