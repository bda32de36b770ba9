"""Volumes of BraTS's size, made in a second: a textured ellipsoid with a bright lesion in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

BRATS = (155, 240, 240)
SPACING = (1.0, 1.0, 1.0)


def ellipsoid(
    shape: tuple[int, ...], centre: tuple[float, ...], radii: tuple[float, ...], seed: int
) -> npt.NDArray[np.bool_]:
    """An ellipsoid (centre and radii as shares of the shape) with an uneven border."""
    rng = np.random.default_rng(seed)
    axes = np.ogrid[tuple(slice(0, n) for n in shape)]
    sides = zip(axes, centre, radii, shape, strict=True)
    distance: Any = sum(((axis / n - c) / r) ** 2 for axis, c, r, n in sides)
    coarse = rng.standard_normal([max(2, n // 8) for n in shape])
    zoom = [n / c for n, c in zip(shape, coarse.shape, strict=True)]
    return np.asarray(distance + 0.3 * ndimage.zoom(coarse, zoom, order=1) < 1)


def brain(
    shape: tuple[int, ...] = BRATS, seed: int = 0
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
    """An image (Z, Y, X) with background 0, and the mask of its lesion."""
    rng = np.random.default_rng(seed)
    inside = ellipsoid(shape, (0.5, 0.5, 0.5), (0.45, 0.36, 0.29), seed)
    lesion = inside & ellipsoid(shape, (0.52, 0.5, 0.42), (0.16, 0.12, 0.1), seed + 1)
    image = 300 + 40 * ndimage.gaussian_filter(rng.standard_normal(shape), 1.5) / 0.12 + 250 * lesion
    return np.where(inside, np.clip(image, 1, 3000), 0).astype(np.int16), lesion.astype(np.uint8)


def write(path: Path, array: npt.NDArray[Any]) -> None:
    """Write a (Z, Y, X) array as NIfTI."""
    import SimpleITK

    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), str(path), useCompression=True)
