"""The 95th-percentile Hausdorff distance, with its rules for empty masks, and groups of tumours by size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine.core.boxes import bounding_box

Mask = npt.NDArray[np.bool_]
SIZE_GROUPS = ("Tiny", "Small", "Medium", "Large", "Huge")


def hd95(prediction: npt.NDArray[Any], reference: npt.NDArray[Any], spacing: Sequence[float]) -> float:
    """95th percentile of the surface distances in both directions, in mm.

    The surface is a mask minus its erosion (6-neighbourhood), and the percentile is taken over the
    distances of both directions pooled, as MedPy's ``hd95`` does. Both masks empty: 0. One empty:
    the diagonal of the volume, the largest distance there can be in it.
    """
    from scipy.spatial import KDTree

    a, b = np.asarray(prediction) != 0, np.asarray(reference) != 0
    if not a.any() and not b.any():
        return 0.0
    if not a.any() or not b.any():
        return float(np.linalg.norm(np.array(a.shape) * np.array(spacing)))
    box = bounding_box(a | b)
    edge_a, edge_b = (_surface(np.pad(mask[box], 1)) * np.asarray(spacing) for mask in (a, b))
    distances = np.concatenate([KDTree(edge_b).query(edge_a)[0], KDTree(edge_a).query(edge_b)[0]])
    return float(np.percentile(distances, 95))


def size_groups(volumes: Sequence[float]) -> list[str]:
    """The group of each tumour: fifths of the tumours by volume, Tiny to Huge."""
    if not len(volumes):
        return []
    cuts = np.percentile(volumes, [20, 40, 60, 80])
    return [SIZE_GROUPS[i] for i in np.searchsorted(cuts, volumes, side="left")]


def _surface(mask: Mask) -> npt.NDArray[np.intp]:
    """Indices (S, 3) of the surface voxels."""
    from scipy import ndimage

    return np.argwhere(mask & ~ndimage.binary_erosion(mask))
