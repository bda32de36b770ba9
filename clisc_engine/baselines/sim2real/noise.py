"""Smooth noise of points in space, bounded by 1.

The original takes simplex noise from the package ``noise``. This is gradient noise on a cubic lattice
(Perlin, SIGGRAPH 2002), which has the same range and about the same spectrum, written with NumPy since no
dependency of ours has either.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PERIOD = 256
GAIN, LACUNARITY = 0.5, 2.0

_HASH = np.random.default_rng(0).permutation(PERIOD)
_EDGES = np.array([e for e in product((-1.0, 0.0, 1.0), repeat=3) if sum(map(abs, e)) == 2])


def lattice_noise(points: Floats) -> Floats:
    """Noise (N,) in [-1, 1] of points (N, 3); it is 0 at whole coordinates and repeats after 256."""
    cell = np.floor(points).astype(np.int64)
    within = points - cell
    fade = within**3 * (within * (6 * within - 15) + 10)
    total = np.zeros(len(points))
    for corner in product((0, 1), repeat=3):
        hashed = np.zeros(len(points), np.int64)
        for axis in range(3):
            hashed = _HASH[(hashed + cell[:, axis] + corner[axis]) % PERIOD]
        slope = np.einsum("na,na->n", _EDGES[hashed % len(_EDGES)], within - corner)
        z, y, x = np.where(corner, fade, 1 - fade).T
        total += slope * z * y * x
    return np.clip(total, -1, 1)  # it may pass 1 by 4 %, where all corners pull the same way


def octave_noise(points: Floats, octaves: int) -> Floats:
    """Mean (N,) of noise at doubling frequencies, weighted by halving weights: in [-1, 1]."""
    weights = GAIN ** np.arange(octaves)
    parts = (w * lattice_noise(points * LACUNARITY**k) for k, w in enumerate(weights))
    return sum(parts, np.zeros(len(points))) / weights.sum()
