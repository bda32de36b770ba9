"""Smooth random fields over space, sampled at any coordinates."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.nn import functional

Floats = NDArray[np.float32]
Grid = tuple[Floats, Floats, Floats]
"""Coordinates z, y and x in mm of each point, (Z, Y, X) each."""

NODES = 40
"""Of a field's lattice along each axis; the field repeats itself after them."""


@dataclass(frozen=True)
class NoiseField:
    """A periodic smooth Gaussian field, zero mean and unit variance.

    ``step`` is the lattice spacing in mm: about a quarter of the wavelength.
    """

    lattice: Floats
    step: float

    def __call__(self, z: Floats, y: Floats, x: Floats) -> Floats:
        """The field at grid coordinates in mm, each (Z, Y, X).

        Fields much smoother than the pixels are looked up at every other row and column, and
        interpolated in between: the look-up is what costs time.
        """
        if self.step < 2.2 * pixel_size(z, y, x) or min(z.shape[1:]) < 4:
            return self.look_up(z, y, x)
        coarse = self.look_up(*(axis[:, ::2, ::2] for axis in (z, y, x)))
        return doubled(doubled(coarse, 1, z.shape[1]), 2, z.shape[2])

    def look_up(self, z: Floats, y: Floats, x: Floats) -> Floats:
        """The field at any coordinates in mm."""
        points = np.stack([axis.ravel() for axis in (z, y, x)]) / np.float32(self.step)
        return interpolated(self.lattice, points).reshape(z.shape)


def interpolated(lattice: Floats, points: Floats) -> Floats:
    """Linear interpolation (N,) of a periodic lattice, as many nodes along each axis, at points (3, N).

    Points are in nodes. The values are those of `scipy.ndimage.map_coordinates` to the bit; torch takes
    little more than half of its time.
    """
    nodes = len(lattice)
    whole = torch.from_numpy(np.pad(lattice, ((0, 1),) * 3, mode="wrap")).double()
    places = torch.from_numpy(points).double().remainder_(nodes).mul_(2 / nodes).sub_(1)
    grid = places.flip(0).T[None, None, None]
    values = functional.grid_sample(
        whole[None, None], grid, mode="bilinear", padding_mode="border", align_corners=True
    )
    return np.asarray(values.flatten().float().numpy())


def pixel_size(z: Floats, y: Floats, x: Floats) -> float:
    """Distance in mm between two neighbours in the middle of a row."""
    i, j, k = (n // 2 for n in z.shape)
    gaps = [float(axis[i, j, k] - axis[i, j, k - 1]) for axis in (z, y, x)]
    return float(np.hypot(np.hypot(gaps[0], gaps[1]), gaps[2]))


def doubled(coarse: Floats, axis: int, size: int) -> Floats:
    """Linear interpolation of every other sample along ``axis`` back to ``size`` samples."""
    ahead = np.take(coarse, np.r_[1 : coarse.shape[axis], coarse.shape[axis] - 1], axis)
    shape = list(coarse.shape)
    shape[axis] *= 2
    fine = np.empty(shape, np.float32)
    even, odd = [slice(None)] * 3, [slice(None)] * 3
    even[axis], odd[axis] = slice(0, None, 2), slice(1, None, 2)
    fine[tuple(even)] = coarse
    fine[tuple(odd)] = 0.5 * (coarse + ahead)
    return np.take(fine, np.arange(size), axis)


def noise_field(rng: np.random.Generator, wavelength: float) -> NoiseField:
    """Draw a field whose structures repeat about every ``wavelength`` mm."""
    lattice = rng.standard_normal((NODES,) * 3).astype(np.float32)
    lattice = ndimage.gaussian_filter(lattice, 0.85, mode="wrap")
    lattice = (lattice - lattice.mean()) / lattice.std()
    return NoiseField(lattice, wavelength / 4.0)


def rough_noise(
    rng: np.random.Generator, wavelength: float, z: Floats, y: Floats, x: Floats, octaves: int = 3
) -> Floats:
    """Sum of fields of halving wavelength and amplitude, scaled to about unit variance."""
    total = np.zeros(np.broadcast_shapes(z.shape, y.shape, x.shape), np.float32)
    for octave in range(octaves):
        field = noise_field(rng, wavelength / 2**octave)
        total += np.float32(0.55**octave) * field(z, y, x)
    return total
