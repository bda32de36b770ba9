"""Step 0: orient, crop to the brain, normalise; and the exact way back to the input's own grid."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from clisc_engine.core.boxes import bounding_box
from clisc_engine.errors import BadInput
from clisc_engine.imaging.background import find_background
from clisc_engine.imaging.geometry import Geometry, Volume, geometry_of, to_sitk
from clisc_engine.imaging.intensities import check_brain, check_patches

CANONICAL = "LPS"
"""x to the left, y to the back, z up: a stored volume's slices are axial, as SimpleITK has them."""

NEARLY_ZERO = 1e-3
"""Stands for a brain voxel whose normalised intensity is 0, which only background may be."""

MIN_BRAIN_VOXELS = 1000


@dataclass(frozen=True)
class Placement:
    """Where a stored volume lies in its input.

    Attributes:
        source: the input's grid.
        grid: the whole canonical grid, resampled if asked for, before the crop.
        crop: (start, stop) along z, y and x of that grid.
    """

    source: Geometry
    grid: Geometry
    crop: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Placement:
        """From `to_dict`, also after a round trip through JSON."""
        source, grid = (Geometry.from_dict(values[name]) for name in ("source", "grid"))
        z, y, x = ((int(start), int(stop)) for start, stop in values["crop"])
        return cls(source, grid, (z, y, x))

    @property
    def spacing(self) -> tuple[float, float, float]:
        """(z, y, x) in mm of the stored volume."""
        x, y, z = self.grid.spacing
        return (z, y, x)

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """The crop as slices of a (Z, Y, X) array."""
        z, y, x = (slice(start, stop) for start, stop in self.crop)
        return (z, y, x)


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
        BadInput: when there is too little brain to normalise.
    """
    whole = volume.array.astype(np.float32, copy=False)
    background = find_background(whole, volume.source)
    grid = _canonical(volume.geometry)
    array = _turned(whole, volume.geometry, grid)
    brain = ~background.is_in(array)
    if resample_in_plane:
        array, brain, grid = _resampled(array, brain, grid, resample_in_plane)
    if brain.sum() < MIN_BRAIN_VOXELS:
        raise BadInput(
            f"{volume.source} has {int(brain.sum())} voxels that are not background, too few for a brain."
        )
    placement = Placement(volume.geometry, grid, _crop_to(brain))
    array, brain = (np.ascontiguousarray(values[placement.box]) for values in (array, brain))
    return _normalised(array, brain, clip_percentile, volume.source), placement.spacing, placement


def to_canonical_grid(mask: Volume, placement: Placement) -> npt.NDArray[np.uint8]:
    """A mask on the input's grid, brought to the stored volume's grid; 0 or 1.

    Raises:
        BadInput: when the mask's grid is not the image's.
    """
    from clisc_engine.imaging.references import on_grid  # here, since what prepares an image lacks masks

    array = (on_grid(mask, placement.source).array != 0).astype(np.uint8)
    image = sitk.DICOMOrient(to_sitk(array, placement.source), CANONICAL)
    if geometry_of(image) != placement.grid:
        image = _onto(image, placement.grid)
    stored: npt.NDArray[np.uint8] = sitk.GetArrayFromImage(image)[placement.box]
    return stored


def restore(array: npt.NDArray[Any], placement: Placement) -> npt.NDArray[Any]:
    """A stored (Z, Y, X) array on the input's own grid; 0 outside the crop.

    Every voxel returns to where it came from; resampled volumes go back to the nearest voxel.
    """
    full = np.zeros(placement.grid.size[::-1], array.dtype)
    full[placement.box] = array
    canonical = _canonical(placement.source)
    if canonical != placement.grid:
        full = sitk.GetArrayFromImage(_onto(to_sitk(full, placement.grid), canonical))
    return np.ascontiguousarray(_turned(full, canonical, placement.source))


def _canonical(source: Geometry) -> Geometry:
    """A grid with its axes in the canonical order and directions."""
    return geometry_of(sitk.DICOMOrient(to_sitk(np.zeros(source.size[::-1], np.uint8), source), CANONICAL))


def _turned(array: npt.NDArray[Any], source: Geometry, target: Geometry) -> npt.NDArray[Any]:
    """(Z, Y, X) voxels of one grid as another has them, which differs in its axes' order and directions."""
    likeness = np.rint(target.matrix.T @ source.matrix).astype(int)  # +1 or -1 where an axis went
    flips = tuple(2 - int(axis) for axis in np.flatnonzero(likeness.sum(axis=0) < 0))
    order = np.abs(likeness).argmax(axis=1)
    return np.flip(array, flips).transpose([2 - int(order[2 - axis]) for axis in range(3)])


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


def _crop_to(
    mask: npt.NDArray[np.bool_],
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    z, y, x = ((axis.start, axis.stop) for axis in bounding_box(mask))
    return z, y, x


def _resampled(
    array: npt.NDArray[np.float32], brain: npt.NDArray[np.bool_], old: Geometry, in_plane: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], Geometry]:
    """The image, the brain and their grid with another in-plane spacing.

    Slices are untouched, and the brain's edge is the nearest voxel's. Its rim has the intensities of its
    brain voxels alone: of the interpolated image, the part that is brain.
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
    weights = to_sitk(brain.astype(np.float32), old)
    masked = to_sitk(np.where(brain, array, np.float32(0)), old)
    inside, share, total = (
        sitk.GetArrayFromImage(_onto(image, grid, interpolator))
        for image, interpolator in (
            (weights, sitk.sitkNearestNeighbor),
            (weights, sitk.sitkLinear),
            (masked, sitk.sitkLinear),
        )
    )
    found = (inside > 0) & (share > 0)
    return np.divide(total, share, out=np.zeros_like(total), where=found), found, grid


def _onto(image: sitk.Image, grid: Geometry, interpolator: int = sitk.sitkNearestNeighbor) -> sitk.Image:
    return sitk.Resample(
        image,
        [int(n) for n in grid.size],
        sitk.Transform(3, sitk.sitkIdentity),
        interpolator,
        grid.origin,
        grid.spacing,
        grid.direction,
        0,
        image.GetPixelID(),
    )
