"""Smooth random fields over space, sampled at any coordinates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class NoiseField:
    """A periodic smooth Gaussian field, zero mean and unit variance.

    ``step`` is the lattice spacing in mm: about a quarter of the wavelength.
    """

    lattice: Floats
    step: float

    def __call__(self, z: Floats, y: Floats, x: Floats) -> Floats:
        """The field at coordinates in mm, any (broadcast) shape."""
        full = np.broadcast_arrays(z, y, x)
        points = np.stack([axis.ravel() for axis in full]) / np.float32(self.step)
        values = ndimage.map_coordinates(
            self.lattice, points, order=1, mode="grid-wrap", output=np.float32
        )
        return values.reshape(full[0].shape)


def noise_field(rng: np.random.Generator, wavelength: float, nodes: int = 40) -> NoiseField:
    """Draw a field whose structures repeat about every ``wavelength`` mm."""
    lattice = rng.standard_normal((nodes, nodes, nodes)).astype(np.float32)
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
