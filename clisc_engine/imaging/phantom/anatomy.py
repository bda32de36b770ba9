"""A healthy brain as soft tissue fractions, drawn from implicit surfaces and folded noise.

All coordinates are mm about the brain's centre in LPS directions: z up, y to the back, x to the
patient's left. Distances are approximate signed distances, negative inside.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clisc_engine.imaging.phantom.noise import Floats, noise_field, rough_noise

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Anatomy:
    """Tissue fractions in 0..1 and distances in mm, all (Z, Y, X)."""

    csf: Floats
    grey: Floats
    white: Floats
    ventricle: Floats
    ventricle_distance: Floats
    depth: Floats
    cerebellum: Floats
    brain: NDArray[np.bool_]


DrawAnatomy: TypeAlias = Callable[[np.random.Generator, Floats, Floats, Floats, Point], Anatomy]
"""Draws a brain on the grid of (Z, Y, X) coordinates in mm, the last argument being their step in mm."""


def soft(distance: Floats, width: float) -> Floats:
    """1 well inside (negative distance), 0 well outside, linear over ``width`` mm."""
    return np.clip(0.5 - distance / np.float32(width), 0.0, 1.0)


def ellipsoid(z: Floats, y: Floats, x: Floats, centre: Point, radii: Point) -> Floats:
    """Approximate signed distance to an axis-aligned ellipsoid; points are (z, y, x)."""
    scaled = [(a - c) / r for a, c, r in zip((z, y, x), centre, radii, strict=True)]
    rho = np.sqrt(scaled[0] ** 2 + scaled[1] ** 2 + scaled[2] ** 2)
    return (rho - 1.0) * np.float32(min(radii) * 0.6 + max(radii) * 0.4)


def smooth_union(a: Floats, b: Floats, blend: float) -> Floats:
    """Polynomial smooth minimum of two distances."""
    mix = np.clip(0.5 + 0.5 * (b - a) / blend, 0.0, 1.0)
    return b + (a - b) * mix - np.float32(blend) * mix * (1.0 - mix)


def capsule(z: Floats, y: Floats, x: Floats, start: Point, end: Point, r0: float, r1: float) -> Floats:
    """Signed distance to a tapered tube from ``start`` to ``end``; points are (z, y, x)."""
    axis = np.subtract(end, start)
    length = float(axis @ axis)
    along = ((z - start[0]) * axis[0] + (y - start[1]) * axis[1] + (x - start[2]) * axis[2]) / length
    along = np.clip(along, 0.0, 1.0)
    gap = np.sqrt(
        (z - start[0] - along * axis[0]) ** 2
        + (y - start[1] - along * axis[1]) ** 2
        + (x - start[2] - along * axis[2]) ** 2
    )
    return gap - (r0 + (r1 - r0) * along)


def ventricles(rng: np.random.Generator, z: Floats, y: Floats, x: Floats) -> Floats:
    """Signed distance to the lateral, third and fourth ventricles."""
    size = rng.uniform(0.55, 1.75)
    third = np.maximum(np.abs(x) - rng.uniform(0.6, 2.2) * size, np.abs(y - 4) - 14)
    distance = np.maximum(third, np.abs(z - 2) - 11)
    fourth = ellipsoid(z, y, x, (-34, 30, 0), (8, 5, 6))
    distance = np.minimum(distance, fourth)
    for side in (-1.0, 1.0):
        s = size * rng.uniform(0.75, 1.25)
        wide = rng.uniform(0.9, 1.15)
        front, body = (11.0, -33.0, side * 9 * wide), (19.0, -2.0, side * 9 * wide)
        trigone = (13.0, 33.0, side * 22 * wide)
        back = (5.0, rng.uniform(44, 64), side * 21 * wide)
        low = (-18.0, rng.uniform(-12, 8), side * 32 * wide)
        pieces = (
            (front, body, 3.9 * s, 3.6 * s),
            (body, trigone, 3.6 * s, 5.0 * s),
            (trigone, back, 4.0 * s, 1.2 * s),
            (trigone, low, 3.2 * s, 1.1 * s),
        )
        for start, end, r0, r1 in pieces:
            distance = smooth_union(distance, capsule(z, y, x, start, end, r0, r1), 5.0)
    return distance


def outer_surfaces(
    rng: np.random.Generator, z: Floats, y: Floats, x: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Signed distances to the cerebrum, cerebellum, brainstem, and the cerebrum without a base."""
    taper = rng.uniform(0.05, 0.16)  # frontal lobes are narrower than the parietal ones
    squeezed = x / (1.0 - taper * np.clip(-y / 80.0, -0.6, 1.0))
    cerebrum = ellipsoid(z, y, squeezed, (8, 0, 0), (rng.uniform(55, 62), 84, rng.uniform(63, 69)))
    floor = rng.uniform(-32, -17) + 0.08 * np.abs(x) + rng.uniform(0.05, 0.15) * y
    gyral = cerebrum
    cerebrum = np.maximum(cerebrum, floor - z)
    for side in (-1.0, 1.0):
        centre = (rng.uniform(-27, -20), rng.uniform(-14, -4), side * rng.uniform(41, 46))
        lobe = ellipsoid(z, y, x, centre, (rng.uniform(20, 27), rng.uniform(42, 50), 22))
        cerebrum, gyral = np.minimum(cerebrum, lobe), np.minimum(gyral, lobe)
    cerebellum = np.full_like(cerebrum, 1e3)
    level, back = rng.uniform(-46, -38), rng.uniform(40, 48)
    for side in (-1.0, 1.0):
        half = ellipsoid(z, y, x, (level, back, side * 22), (24, 29, 31))
        cerebellum = smooth_union(cerebellum, half, 4.0)
    stem = capsule(z, y, x, (-6, 6, 0), (-72, 22, 0), rng.uniform(13, 17), 8.0)
    pons = ellipsoid(z, y, x, (-30, 8, 0), (15, 14, 18))
    return cerebrum, cerebellum, smooth_union(stem, pons, 5.0), gyral


def sulci(
    rng: np.random.Generator, z: Floats, y: Floats, x: Floats, depth: Floats, step: Point
) -> tuple[Floats, float]:
    """Distance in mm to the nearest sulcus, and the sulcal half width.

    Sulci are the zero sheets of a noise field looked up near the surface point above each voxel,
    so the sheets run inwards; they end at a depth that varies. Shallower, finer ones lie between.
    """
    rho = np.sqrt((z / 62) ** 2 + (y / 84) ** 2 + (x / 66) ** 2) + 1e-3
    pull = (1.0 - 0.55) / rho + 0.55
    q = [(axis * pull).astype(np.float32) for axis in (z, y, x)]
    wave = rng.uniform(19, 30)
    reach = rng.uniform(10, 24) * (1.0 + 0.4 * noise_field(rng, 60)(z, y, x))
    nearest = np.full(z.shape, 1e3, np.float32)
    for fineness, share in ((1.0, 1.0), (rng.uniform(0.5, 0.75), rng.uniform(0.2, 0.7))):
        fold = noise_field(rng, wave * fineness)(*q)
        fold += 0.35 * noise_field(rng, wave * fineness / 2)(*q)
        slopes = np.gradient(fold, *step)
        gradient = np.sqrt(slopes[0] ** 2 + slopes[1] ** 2 + slopes[2] ** 2)
        sheet = np.abs(fold) / (gradient + 0.02)
        ended = np.maximum(0.0, depth - reach * share)
        nearest = np.minimum(nearest, np.sqrt(sheet**2 + ended**2))
    return nearest.astype(np.float32), float(rng.uniform(0.0, 1.3))


def fissures(rng: np.random.Generator, z: Floats, y: Floats, x: Floats) -> Floats:
    """Distance in mm to the interhemispheric and the two Sylvian fissures."""
    bend = 1.5 * noise_field(rng, 90)(z, y, x * 0)
    ring = np.sqrt(((y - 2) / 40) ** 2 + ((z - 4) / rng.uniform(22, 27)) ** 2)
    middle = np.sqrt((x - bend) ** 2 + np.maximum(0.0, (1.0 - ring) * 24) ** 2)
    sheet = z - (-8.0 + 0.28 * y) - 2.0 * bend
    inward = np.maximum(0.0, rng.uniform(33, 40) - np.abs(x))
    lateral = np.sqrt(sheet**2 + inward**2 + np.maximum(0.0, np.abs(y + 4) - 30) ** 2)
    return np.minimum(middle, lateral)


def deep_grey(rng: np.random.Generator, z: Floats, y: Floats, x: Floats) -> Floats:
    """Fraction of thalamus, putamen and caudate."""
    side = np.abs(x)
    thalamus = ellipsoid(z, y, side, (2, 12, 11), (9, 14, 8.5))
    putamen = ellipsoid(z, y, side - 0.18 * (y + 10), (3, -6, 25), (11, 17, 6))
    caudate = ellipsoid(z, y, side, (8, -22, 13.5), (11, 11, 5))
    nearest = np.minimum(np.minimum(thalamus, putamen), caudate)
    return soft(nearest, 3.0) * np.float32(rng.uniform(0.3, 1.0))


def make_anatomy(rng: np.random.Generator, z: Floats, y: Floats, x: Floats, step: Point) -> Anatomy:
    """Draw a brain on the grid of (Z, Y, X) coordinates in mm, ``step`` mm apart."""
    wobble = [2.2 * rough_noise(rng, 55.0, z, y, x, octaves=2) for _ in range(3)]
    z, y, x = z + wobble[0], y + wobble[1], x + wobble[2]
    cerebrum, cerebellum, stem, gyral = outer_surfaces(rng, z, y, x)
    nearest = np.minimum(np.minimum(cerebrum, cerebellum), stem)
    depth = -nearest
    sheet, half_width = sulci(rng, z, y, x, -gyral, step)
    fissure = fissures(rng, z, y, x)
    gap = rng.uniform(0.5, 2.2)
    pial = np.minimum(np.minimum(-cerebrum, sheet - half_width), fissure - gap)
    ventricle_distance = ventricles(rng, z, y, x)

    edge = 1.8
    tissue = np.where(cerebrum < 1.0, soft(-pial, edge), 0.0)
    ribbon = rng.uniform(2.6, 4.2)
    cortex = soft(pial - ribbon, 2.2)
    # Folia are too fine to resolve: ripples about the cerebellar centre stand for them.
    bend = 3.5 * noise_field(rng, 30)(z, y, x)
    ripple = np.sin(2 * np.pi * (-cerebellum + 0.15 * z + bend) / rng.uniform(3.2, 4.8))
    calm = np.clip(0.5 + 0.5 * noise_field(rng, 30)(z, y, x), 0, 1) * rng.uniform(0.3, 1.0)
    folia = np.clip(1.0 - calm * (0.5 + 0.5 * ripple), 0, 1) * soft(-cerebellum - 15 + bend, 10.0)
    small = np.maximum(soft(cerebellum, edge), soft(stem, edge))
    in_cerebellum = (small > tissue).astype(np.float32)
    matter = np.maximum(tissue, small)
    grey_share = np.where(small > tissue, folia * soft(cerebellum, edge), cortex)
    grey_share = np.maximum(grey_share, deep_grey(rng, z, y, x) * (1 - in_cerebellum))
    cleft = rng.uniform(0.0, 0.5) * in_cerebellum * soft(-cerebellum - 14, 8.0) * calm
    matter = matter * (1.0 - cleft * np.clip(-ripple, 0, 1))
    inside = soft(ventricle_distance, 1.6)
    matter = matter * (1.0 - inside)

    hull = smooth_union(smooth_union(cerebrum, cerebellum, 14.0), stem, 10.0)
    margin = rng.uniform(-1.0, 2.2) + 0.9 * noise_field(rng, 25)(z, y, x)
    brain = hull < margin
    fractions = (1.0 - matter, matter * grey_share, matter * (1.0 - grey_share))
    csf, grey, white = (f.astype(np.float32) for f in fractions)
    return Anatomy(
        csf,
        grey,
        white,
        inside.astype(np.float32),
        ventricle_distance.astype(np.float32),
        depth.astype(np.float32),
        in_cerebellum,
        brain,
    )
