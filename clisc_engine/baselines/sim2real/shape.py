"""Shapes of simulated tumours: an ellipsoid whose surface noise moves in and out.

The original moves the 2562 vertices of an icosphere and fills the polyhedron with VTK. The surface is
star-shaped, so ours needs no mesh: a point is inside when its distance from the centre is less than the
surface's in that direction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from clisc_engine.baselines.sim2real.noise import Floats, octave_noise

Box = tuple[slice, slice, slice]
DIRECTIONS = 2562
"""As many as the original's icosphere has vertices."""


@dataclass(frozen=True)
class Shape:
    """A noisy ellipsoid.

    Attributes:
        centre: (z, y, x) in mm.
        radii: of the ellipsoid in mm, before it is turned.
        turn: (3, 3) rotation.
        noise: how far the surface moves, in radii; under 1.
        octaves: of the noise.
        offset: added to all coordinates at which noise is looked up, so that shapes differ.
    """

    centre: Floats
    radii: Floats
    turn: Floats
    noise: float
    octaves: int
    offset: float

    @property
    def reach(self) -> float:
        """No point of the shape is farther than this from its centre, in mm."""
        return float((1 + self.noise + np.linalg.norm(self.shift)) * self.radii.max())

    @cached_property
    def shift(self) -> Floats:
        """Mean (3,) of the unit sphere's surface after the noise; the shape is centred by it."""
        return (sphere(DIRECTIONS) * self._surface(sphere(DIRECTIONS))[:, None]).mean(axis=0)

    def inside(self, points: Floats) -> npt.NDArray[np.bool_]:
        """Which points (N, 3), (z, y, x) in mm, lie inside: |y| <= 1 + noise * n(y / |y| + offset).

        y is the point in the frame of the unit sphere: S^-1 R^T (point - centre) + shift.
        """
        y = (points - self.centre) @ self.turn / self.radii + self.shift
        distance = np.linalg.norm(y, axis=1)
        found = distance <= 1 - self.noise
        unsure = ~found & (distance <= 1 + self.noise)
        directions = y[unsure] / np.maximum(distance[unsure], 1e-12)[:, None]
        found[unsure] = distance[unsure] <= self._surface(directions)
        return found

    def _surface(self, directions: Floats) -> Floats:
        """Distance (N,) of the unit sphere's moved surface in the directions (N, 3)."""
        if self.noise == 0:
            return np.ones(len(directions))
        return 1 + self.noise * octave_noise(directions + self.offset, self.octaves)

    def at(self, centre: Floats) -> Shape:
        """The same shape elsewhere."""
        return replace(self, centre=centre)


def sphere(count: int) -> Floats:
    """Evenly spread directions (count, 3), by Fibonacci's spiral."""
    index = np.arange(count) + 0.5
    height = 1 - 2 * index / count
    angle = np.pi * (1 + np.sqrt(5)) * index
    flat = np.sqrt(1 - height**2)
    return np.stack([height, flat * np.sin(angle), flat * np.cos(angle)], axis=1)


def draw_shape(rng: np.random.Generator, volume_ml: tuple[float, float], noise: float) -> Shape:
    """A shape at the origin, as the original draws it.

    The volume V is uniform in the range, r its sphere's radius and q uniform in 0.8 to 1; the radii are
    (r q, r / q, r), so that the ellipsoid has the volume V whatever q is.

    Args:
        rng: of all draws.
        volume_ml: least and largest volume before the noise.
        noise: see `Shape`.
    """
    radius = (3e3 * rng.uniform(*volume_ml) / (4 * np.pi)) ** (1 / 3)
    q = rng.uniform(0.8, 1.0)
    return Shape(
        centre=np.zeros(3),
        radii=np.array([radius * q, radius / q, radius]),
        turn=Rotation.from_euler("zyx", rng.uniform(0, 180, 3), degrees=True).as_matrix(),
        noise=noise,
        octaves=int(rng.integers(4, 8)),
        offset=float(rng.uniform(0, 999)),
    )


def rasterised(
    shape: Shape, size: tuple[int, ...], spacing: tuple[float, ...]
) -> tuple[Box, npt.NDArray[np.bool_]]:
    """A shape on a grid whose first voxel's centre is the origin.

    Args:
        shape: its centre may lie anywhere.
        size: voxels (Z, Y, X) of the grid.
        spacing: (z, y, x) in mm.

    Returns:
        The box of the grid that the shape may reach, and the mask (bool) in it; the box may be empty.
    """
    axes = []
    for middle, count, step in zip(shape.centre, size, spacing, strict=True):
        first = int(np.clip(np.ceil((middle - shape.reach) / step), 0, count))
        stop = int(np.clip(np.floor((middle + shape.reach) / step) + 1, first, count))
        axes.append(slice(first, stop))
    box = (axes[0], axes[1], axes[2])
    points = positions(box, spacing)
    return box, shape.inside(points.reshape(3, -1).T).reshape(points.shape[1:])


def positions(box: Box, spacing: tuple[float, ...]) -> Floats:
    """Positions (3, Z, Y, X) in mm of a box's voxels."""
    axes = [np.arange(s.start, s.stop) * step for s, step in zip(box, spacing, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"))
