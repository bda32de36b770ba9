"""Paired tests of two methods over the same cases, and their correction for several comparisons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def paired_p(first: Sequence[float], second: Sequence[float]) -> float | None:
    """The two-sided p-value of Wilcoxon's signed-rank test of two methods on the same cases.

    Cases on which both are the same say nothing and are left out. SciPy takes the exact distribution for
    small numbers of cases, where there are no ties, and the normal approximation for large ones.

    Args:
        first: of one method, a value for each case.
        second: of the other, in the same order.

    Returns:
        1 where the methods differ on no case; None without any case.
    """
    from scipy import stats

    differences = np.subtract(first, second, dtype=float)
    if not differences.size:
        return None
    if not differences.any():
        return 1.0
    return float(stats.wilcoxon(differences).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given.

    The i-th smallest of m (from 0) is multiplied by m - i; none becomes smaller than one before it, nor
    larger than 1. Rejecting those under a level keeps the probability of any wrong rejection under it
    (Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6, 1979).
    """
    values = np.asarray(p_values, float)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1) if len(values) else scaled
    found: list[float] = adjusted.tolist()
    return found
