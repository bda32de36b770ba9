"""How a U-Net halves its volumes on the way down."""

from __future__ import annotations

from collections.abc import Sequence


def level_strides(halvings: int, spacing: Sequence[float]) -> list[tuple[int, ...]]:
    """Stride (z, y, x) of each halving, so that anisotropic voxels become isotropic on the way down."""
    now = list(spacing) or [1.0, 1.0, 1.0]
    strides: list[tuple[int, ...]] = []
    for _ in range(halvings):
        strides.append(tuple(1 if side > 1.5 * min(now) else 2 for side in now))
        now = [side * stride for side, stride in zip(now, strides[-1], strict=True)]
    return strides
