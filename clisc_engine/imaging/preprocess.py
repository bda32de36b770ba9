"""Step 0: orient, crop to the brain, normalise; and the exact way back to the input's own grid."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from clisc_engine.errors import BadInput
from clisc_engine.imaging.geometry import Geometry, Volume, geometry_of, to_sitk
from clisc_engine.imaging.references import on_grid

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
        source, grid = (
            Geometry(**{key: tuple(value) for key, value in values[name].items()})
            for name in ("source", "grid")
        )
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

    The brain is what is not 0. Intensities are clipped at ``clip_percentile`` of the brain, then the
    brain's mean is subtracted and they are divided by its standard deviation (paper section 3.1).

    Args:
        volume: skull-stripped input.
        clip_percentile: in (0, 100].
        resample_in_plane: mm of a pixel to resample to (linear), None for the input's own.

    Returns:
        (Z, Y, X) float32 with background exactly 0 and the brain nowhere 0; its (z, y, x) spacing in
        mm; and its placement.

    Raises:
        BadInput: when there is too little brain to normalise.
    """
    image = sitk.DICOMOrient(to_sitk(volume.array.astype(np.float32), volume.geometry), CANONICAL)
    if resample_in_plane:
        image = _resampled(image, resample_in_plane)
    array = sitk.GetArrayFromImage(image)
    brain = array != 0
    if brain.sum() < MIN_BRAIN_VOXELS:
        raise BadInput(
            f"{volume.source} has {int(brain.sum())} voxels that are not 0, too few for a brain."
        )
    placement = Placement(volume.geometry, geometry_of(image), _bounding_box(brain))
    array, brain = array[placement.box], brain[placement.box]
    return _normalised(array, brain, clip_percentile, volume.source), placement.spacing, placement


def to_canonical_grid(mask: Volume, placement: Placement) -> npt.NDArray[np.uint8]:
    """A mask on the input's grid, brought to the stored volume's grid; 0 or 1.

    Raises:
        BadInput: when the mask's grid is not the image's.
    """
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
    image = to_sitk(full, placement.grid)
    source = placement.source
    code = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(source.direction)
    empty = sitk.Image([int(n) for n in source.size], sitk.sitkUInt8)
    empty.SetSpacing(source.spacing)
    empty.SetOrigin(source.origin)
    empty.SetDirection(source.direction)
    canonical = geometry_of(sitk.DICOMOrient(empty, CANONICAL))
    if canonical != placement.grid:
        image = _onto(image, canonical)
    return sitk.GetArrayFromImage(sitk.DICOMOrient(image, code))


def looks_skull_stripped(volume: Volume) -> bool:
    """Whether the background is exactly 0 and surrounds what is left, as brain extraction leaves it.

    A head with its skull has air that is noise rather than 0, or reaches the volume's faces.
    """
    zero = volume.array == 0
    faces = np.concatenate([np.take(zero, index, axis).ravel() for axis in (1, 2) for index in (0, -1)])
    return bool(zero.mean() > 0.25 and faces.mean() > 0.8)


def _normalised(
    array: npt.NDArray[np.float32], brain: npt.NDArray[np.bool_], clip: float, source: str
) -> npt.NDArray[np.float32]:
    clipped = np.minimum(array, np.percentile(array[brain], clip))
    mean, deviation = float(clipped[brain].mean()), float(clipped[brain].std())
    if deviation < 1e-6 * max(1.0, abs(mean)):
        raise BadInput(f"{source} has the same intensity in all of the brain; it may be a mask.")
    scaled = (clipped - mean) / deviation
    scaled[np.abs(scaled) < NEARLY_ZERO] = NEARLY_ZERO
    return np.where(brain, scaled, 0).astype(np.float32)


def _bounding_box(
    mask: npt.NDArray[np.bool_],
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    z, y, x = (
        np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        for axis in range(3)
    )
    return (
        (int(z[0]), int(z[-1]) + 1),
        (int(y[0]), int(y[-1]) + 1),
        (int(x[0]), int(x[-1]) + 1),
    )


def _resampled(image: sitk.Image, in_plane: float) -> sitk.Image:
    """The image with another in-plane spacing; brain edges stay sharp, slices untouched."""
    old_spacing, old_size = np.array(image.GetSpacing()), np.array(image.GetSize())
    spacing = np.array([in_plane, in_plane, old_spacing[2]])
    size = np.maximum(1, np.rint(old_size * old_spacing / spacing)).astype(int)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    shift = direction @ ((spacing - old_spacing) / 2)
    grid = Geometry(
        tuple(int(n) for n in size),
        tuple(float(s) for s in spacing),
        tuple(float(o) for o in np.array(image.GetOrigin()) + shift),
        image.GetDirection(),
    )
    brain = _onto(sitk.Cast(image != 0, sitk.sitkUInt8), grid)
    return _onto(image, grid, sitk.sitkLinear) * sitk.Cast(brain, sitk.sitkFloat32)


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
