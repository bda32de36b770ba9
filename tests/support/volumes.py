"""Volumes that tests make, and how they reach a file."""

import numpy as np
import SimpleITK as sitk


def ball(shape=(12, 24, 24), seed=0):
    """A small brain-like volume: textured inside an ellipsoid, 0 outside."""
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.linspace(-1.15, 1.15, n) for n in shape), indexing="ij")
    inside = sum(a**2 for a in axes) < 1
    return np.where(inside, 100 + 20 * rng.standard_normal(shape), 0).astype(np.float32)


def write(path, array, spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0), direction=None):
    """Write a (Z, Y, X) array; spacing, origin and direction in SimpleITK's x, y, z order."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    if direction is not None:
        image.SetDirection(np.asarray(direction, float).ravel().tolist())
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))
    return path
