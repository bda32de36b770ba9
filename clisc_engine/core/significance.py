"""Paired tests of two methods over the same cases, and their correction for several comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

LEVEL = 0.05
"""A difference is called significant when its adjusted p-value is smaller (the paper's star)."""

ByCase = Mapping[str, float]


def paired_p(first: Sequence[float], second: Sequence[float]) -> float | None:
    """The two-sided p-value of Wilcoxon's signed-rank test of two methods on the same cases.

    Cases on which both are the same say nothing and are left out, before SciPy counts the others: it takes
    the exact distribution for small numbers of cases without ties, and the normal approximation for large
    ones, but also for few cases if a difference of 0 is among them.

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
    differing = differences[differences != 0]
    return float(stats.wilcoxon(differing).pvalue) if differing.size else 1.0


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


def paired_tests(pairs: Mapping[str, tuple[ByCase, ByCase]]) -> dict[str, dict[str, Any]]:
    """Wilcoxon's signed-rank test of the values of several pairs of methods, Holm-corrected over the pairs.

    Args:
        pairs: by name, the values of both methods by case; cases that one of them lacks are left out.

    Returns:
        By name: ``n`` cases that both have, the mean ``difference`` first minus second (None without a
        case), ``p``, ``p_holm`` and whether it is ``significant``.
    """
    tests: dict[str, dict[str, Any]] = {}
    for name, (first, second) in pairs.items():
        both = [case for case in first if case in second]
        one, other = [first[case] for case in both], [second[case] for case in both]
        difference = float(np.mean(np.subtract(one, other))) if both else None
        tests[name] = {"n": len(both), "difference": difference, "p": paired_p(one, other)}
    tested = [name for name, test in tests.items() if test["p"] is not None]
    adjusted = dict(zip(tested, holm([tests[name]["p"] for name in tested]), strict=True))
    for name, test in tests.items():
        corrected = adjusted.get(name)
        significant = corrected is not None and corrected < LEVEL
        test |= {"p_holm": corrected, "significant": significant}
    return tests
