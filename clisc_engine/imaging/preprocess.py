"""Step 0: orient, crop to the brain, normalise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from clisc_engine.core.boxes import bounding_box
from clisc_engine.errors import BadInput
from clisc_engine.imaging.background import find_background
from clisc_engine.imaging.geometry import Geometry, Volume, to_sitk, words
from clisc_engine.imaging.intensities import check_brain, check_patches
from clisc_engine.imaging.placement import Placement, by_nearest, canonical_grid, turned

NEARLY_ZERO = 1e-3
"""Stands for a brain voxel whose normalised intensity is 0, which only background may be."""

MIN_BRAIN_VOXELS = 1000

LONGEST = 300.0
"""mm that a brain may be long, wide or high: an adult's is less than 200, a scanned head less than 300."""


def preprocess(
    volume: Volume, *, clip_percentile: float = 99.9, resample_in_plane: float | None = None
) -> tuple[npt.NDArray[np.float32], tuple[float, float, float], Placement]:
    """Orient to axial, crop to the brain and normalise over the brain's voxels.

    The brain is what is not background (`find_background`). Intensities are clipped at
    ``clip_percentile`` of the brain, then the brain's mean is subtracted and they are divided by its
    standard deviation (paper section 3.1).

    Args:
        volume: skull-stripped input.
        clip_percentile: in (0, 100].
        resample_in_plane: mm of a pixel to resample to (linear, over the brain alone), None for the
            input's own.

    Returns:
        (Z, Y, X) float32 with background exactly 0 and the brain nowhere 0; its (z, y, x) spacing in
        mm; and its placement.

    Raises:
        BadInput: when there is too little brain to normalise, or its spacing makes it larger than any.
    """
    whole = volume.array.astype(np.float32, copy=False)
    background = find_background(whole, volume.source)
    grid = canonical_grid(volume.geometry)
    array = turned(whole, volume.geometry, grid)
    brain = ~background.is_in(array)
    if resample_in_plane:
        array, brain, grid = _resampled(array, brain, grid, resample_in_plane)
    if brain.sum() < MIN_BRAIN_VOXELS:
        raise BadInput(
            f"{volume.source} has {int(brain.sum())} voxels that are not background, too few for a brain."
        )
    placement = Placement(volume.geometry, grid, _crop_to(brain))
    _check_size(placement, volume.source)
    array, brain = (np.ascontiguousarray(values[placement.box]) for values in (array, brain))
    return _normalised(array, brain, clip_percentile, volume.source), placement.spacing, placement


def _normalised(
    array: npt.NDArray[np.float32], brain: npt.NDArray[np.bool_], clip: float, source: str
) -> npt.NDArray[np.float32]:
    clipped = np.minimum(array, np.percentile(array[brain], clip))
    inside = clipped[brain]
    mean, deviation = float(inside.mean()), float(inside.std())
    check_brain(inside, deviation, source)
    check_patches(clipped, brain, source)
    scaled = (clipped - mean) / deviation
    scaled[np.abs(scaled) < NEARLY_ZERO] = NEARLY_ZERO
    return np.where(brain, scaled, 0).astype(np.float32)


def _check_size(placement: Placement, source: str) -> None:
    """Refuse a brain that no head holds: its spacing is wrong, or in another order than its axes."""
    sizes = [(end - start) * mm for (start, end), mm in zip(placement.crop, placement.spacing, strict=True)]
    if max(sizes) > LONGEST:
        raise BadInput(
            f"{source} has a brain of {words(np.rint(sizes))} mm (z, y, x), larger than any, by voxels of "
            f"{words(np.round(placement.spacing, 3))} mm; its spacing is wrong, or in another order."
        )


def _crop_to(
    mask: npt.NDArray[np.bool_],
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    z, y, x = ((axis.start, axis.stop) for axis in bounding_box(mask))
    return z, y, x


def _resampled(
    array: npt.NDArray[np.float32], brain: npt.NDArray[np.bool_], old: Geometry, in_plane: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], Geometry]:
    """The image, the brain and their grid with another in-plane spacing.

    Slices are untouched, and the brain's edge is the nearest voxel's, as that of masks. Its rim has the
    intensities of its brain voxels alone: of the interpolated image, the part that is brain.
    """
    old_spacing, old_size = np.array(old.spacing), np.array(old.size)
    spacing = np.array([in_plane, in_plane, old_spacing[2]])
    size = np.maximum(1, np.rint(old_size * old_spacing / spacing)).astype(int)
    shift = old.matrix @ ((spacing - old_spacing) / 2)
    grid = Geometry(
        tuple(int(n) for n in size),
        tuple(float(s) for s in spacing),
        tuple(float(o) for o in np.array(old.origin) + shift),
        old.direction,
    )
    weights, masked = brain.astype(np.float32), np.where(brain, array, np.float32(0))
    share, total = (_linear(values, old, grid) for values in (weights, masked))
    found = by_nearest(brain, old, grid) & (share > 0)
    return np.divide(total, share, out=np.zeros_like(total), where=found), found, grid


def _linear(values: npt.NDArray[np.float32], old: Geometry, grid: Geometry) -> npt.NDArray[np.float32]:
    """(Z, Y, X) values of one grid between whose voxels another's lie; 0 outside."""
    found: npt.NDArray[np.float32] = sitk.GetArrayFromImage(
        sitk.Resample(
            to_sitk(values, old),
            [int(n) for n in grid.size],
            sitk.Transform(3, sitk.sitkIdentity),
            sitk.sitkLinear,
            grid.origin,
            grid.spacing,
            grid.direction,
            0,
            sitk.sitkFloat32,
        )
    )
    return found
