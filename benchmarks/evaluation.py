"""Dice and HD95 of 20 pairs of BraTS's size against MedPy, one pair at a time."""

from __future__ import annotations

from medpy.metric import binary

from benchmarks.measure import Row, peak_gb, plain_then_ours
from benchmarks.volumes import BRATS, SPACING, ellipsoid
from clisc_engine.core.metrics import hd95
from clisc_engine.core.overlap import dice

PAIRS = 20


def evaluation() -> list[Row]:
    """Tumours of 1 to 130 ml and predictions a few millimetres off."""
    pairs = []
    for index in range(PAIRS):
        size = 0.3 + index / PAIRS
        radii = (0.2 * size, 0.13 * size, 0.13 * size)
        place = (0.45 + 0.005 * index, 0.5, 0.42)
        pairs.append(
            (
                ellipsoid(BRATS, place, radii, index),
                ellipsoid(BRATS, (place[0] + 0.01, 0.51, 0.42), radii, index + 100),
            )
        )

    def ours() -> list[tuple[float, float]]:
        return [(dice(a, b), hd95(a, b, SPACING)) for a, b in pairs]

    def plain() -> list[tuple[float, float]]:
        return [(binary.dc(a, b), binary.hd95(a, b, voxelspacing=SPACING)) for a, b in pairs]

    took, one_by_one = plain_then_ours(ours, plain, rounds=1, warm=False)
    both = zip(ours(), plain(), strict=True)
    apart = max(abs(x - y) for one, other in both for x, y in zip(one, other, strict=True))
    note = f"values differ by {apart:.0e} at most" if apart else "values are the same"
    return [
        Row(
            "Dice and HD95", "pair", took / PAIRS, one_by_one / PAIRS, 5.0, peak_gb=peak_gb(ours), note=note
        )
    ]
