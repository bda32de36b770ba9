"""`make_phantom`: one seed, one skull-stripped FLAIR volume with its whole-tumour mask."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clisc_engine.imaging.phantom.acquisition import (
    Protocol,
    bias_field,
    draw_protocol,
    healthy_signal,
    scan,
    slice_profile,
)
from clisc_engine.imaging.phantom.anatomy import DrawAnatomy, Point, make_anatomy
from clisc_engine.imaging.phantom.lesion import PLAIN, Lesion, LesionKind, Lesions, draw_lesion, draw_seed
from clisc_engine.imaging.phantom.noise import Floats, Grid, noise_field

FINEST = 1.8  # mm: slices thicker than this are averages of finer planes
EXTENT = (148.0, 186.0, 152.0)  # mm, z y x: a field of view that holds any drawn brain
MARGIN = 2  # voxels around a brain's bounding box


@dataclass(frozen=True)
class Phantom:
    """A raw skull-stripped volume (Z, Y, X), background 0, with its mask and spacing in mm."""

    image: Floats
    mask: NDArray[np.uint8]
    spacing: Point
    description: str


@dataclass(frozen=True)
class Sampling:
    """How slices are sampled: each is the mean of the first of several finer planes, the rest is slice gap.

    Attributes:
        spacing: mm between voxel centres, (z, y, x).
        planes: finer ones from a slice to the next.
        thick: how many of these a slice is the mean of.
        step: mm between the points of ``grid``, (z, y, x).
        grid: anatomical coordinates of all fine planes.
    """

    spacing: Point
    planes: int
    thick: int
    step: Point
    grid: Grid

    def slices(self, fine: Floats) -> Floats:
        """The slices (Z, Y, X) of what the fine planes hold."""
        return slice_profile(fine, self.planes, self.thick)


def draw_sampling(
    rng: np.random.Generator,
    shape: tuple[int, int, int] | None,
    spacing: Point | None,
    thickness: float | None,
) -> Sampling:
    """What `make_phantom` was given of it; else a grid that holds any brain, with the rest drawn."""
    drawn = draw_spacing(rng)
    spacing = drawn if spacing is None else spacing
    wanted = tuple(int(np.ceil(e / s)) for e, s in zip(EXTENT, spacing, strict=True))
    size = wanted if shape is None else shape
    planes = max(1, round(spacing[0] / FINEST))
    whole = rng.uniform(0.4, 1.0) * spacing[0] if thickness is None else thickness
    thick = int(np.clip(round(whole / spacing[0] * planes), 1, planes))
    step = (spacing[0] / planes, spacing[1], spacing[2])
    grid = coordinates(rng, (size[0] * planes, size[1], size[2]), step)
    return Sampling(spacing, planes, thick, step, grid)


def draw_spacing(rng: np.random.Generator) -> Point:
    """Slices 1 to 6 mm apart, pixels of 0.8 to 2 mm."""
    pixel = float(rng.uniform(0.8, 2.0))
    return float(rng.uniform(1.0, 6.0)), pixel, pixel


def coordinates(rng: np.random.Generator, shape: tuple[int, int, int], step: Point) -> Grid:
    """Anatomical mm coordinates of a grid laid obliquely over a head of random size."""
    axes = [(np.arange(n) - (n - 1) / 2) * d for n, d in zip(shape, step, strict=True)]
    grid = np.meshgrid(*axes, indexing="ij")
    a, b, c = rng.normal(0, np.radians([9.0, 4.0, 5.0]))
    about_x = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(b), 0, -np.sin(b)], [0, 1, 0], [np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[1, 0, 0], [0, np.cos(c), -np.sin(c)], [0, np.sin(c), np.cos(c)]])
    scale = np.diag(1.0 / (rng.uniform(0.92, 1.06) * rng.uniform(0.95, 1.05, 3)))
    matrix = scale @ about_x @ about_y @ about_z
    moved = np.tensordot(matrix, np.stack(grid), axes=1)
    # The drawn brain reaches from -68 (cerebellum) to +72 mm: centre the field of view on it.
    moved[0] += 2.0
    return tuple(part.astype(np.float32) for part in moved)  # type: ignore[return-value]


def pushed(grid: Grid, seed: Point, radius: float, strength: float) -> Grid:
    """Mass effect: tissue makes room around ``seed``."""
    gaps = [axis - c for axis, c in zip(grid, seed, strict=True)]
    square = gaps[0] ** 2 + gaps[1] ** 2 + gaps[2] ** 2
    pull = np.float32(strength) * np.exp(-square / (2 * (1.3 * radius + 6) ** 2))
    z, y, x = (axis - pull * gap for axis, gap in zip(grid, gaps, strict=True))
    return z, y, x


def make_phantom(
    seed: int,
    *,
    shape: tuple[int, int, int] | None = None,
    spacing: Point | None = None,
    thickness: float | None = None,
    tumour: bool = True,
    kind: LesionKind | None = None,
    volume_ml: float | None = None,
    brightness: float | None = None,
    protocol: Protocol | None = None,
    anatomy: DrawAnatomy = make_anatomy,
    lesions: Lesions = PLAIN,
) -> Phantom:
    """Make one phantom; the same arguments always give the same volume.

    Args:
        seed: what decides everything not given below.
        shape: slices, rows, columns; by default the brain's bounding box and a small margin.
        spacing: mm between voxel centres, (z, y, x); drawn if not given.
        thickness: slice thickness in mm, at most the slice spacing; drawn if not given.
        tumour: False leaves out the lesion; the mask is then empty.
        kind: the lesion's kind; drawn if not given.
        volume_ml: the lesion's volume, 1 ml or more; drawn log-normally if not given, by default
            about 55 ml, since gliomas at diagnosis are mostly tens of millilitres.
        brightness: signal of the lesion's oedema beside that of cortex; drawn, by default from 1.3 to 2.2,
            if not given. Subtle lesions have their own.
        protocol: what the volumes of one study share; drawn if not given.
        anatomy: what draws the healthy brain: implicit surfaces, or a `TemplateBrain`.
        lesions: the kinds and volumes to draw from.

    Returns:
        Image float32 >= 0 (Z, Y, X), LPS, 0 outside the brain; mask 0 or 1 on the same grid.
    """
    rng = np.random.default_rng(seed)
    sampling = draw_sampling(rng, shape, spacing, thickness)
    grid, step = sampling.grid, sampling.step
    kind = kind or lesions.draw_kind(rng)
    drawn = lesions.draw_volume(rng)
    volume = drawn if volume_ml is None else volume_ml
    protocol = protocol or draw_protocol(rng)
    place = draw_seed(rng)
    radius = (volume * 1000 * 3 / (4 * np.pi)) ** (1 / 3)
    strength = rng.uniform(0.0, lesions.push) if tumour and kind not in ("cavity", "metastases") else 0.0
    healthy = anatomy(rng, *pushed(grid, place, radius, strength), step)
    signal = healthy_signal(rng, healthy, grid, protocol)
    brain, mask = healthy.brain & holes(rng, grid), np.zeros(signal.shape, bool)
    if tumour:
        shine = lesions.brightness if brightness is None else brightness
        lesion = draw_lesion(rng, healthy, signal, grid, step, kind, volume, place, shine)
        signal = blend(signal, lesion)
        brain, mask = brain & ~lesion.removed, lesion.mask
    signal = signal * bias_field(rng, grid)

    image = scan(rng, sampling.slices(signal), sampling.spacing, protocol)
    inside = sampling.slices(brain.astype(np.float32)) > 0.5
    label = (sampling.slices(mask.astype(np.float32)) > 0.5) & inside
    scale = np.exp(rng.uniform(np.log(60), np.log(3000)))
    image = np.where(inside, np.maximum(image * scale, scale * 1e-3), 0.0).astype(np.float32)
    if shape is None:
        image, label = cropped(image, label)
    ml = label.sum() * np.prod(sampling.spacing) / 1e3
    text = f"seed {seed}, {kind if tumour else 'no tumour'}, {ml:.0f} ml"
    return Phantom(image, label.astype(np.uint8), sampling.spacing, text)


def holes(rng: np.random.Generator, grid: Grid) -> NDArray[np.bool_]:
    """False where a careless skull stripping or a cut field of view lost brain."""
    z, y, x = grid
    kept = np.ones(z.shape, bool)
    if rng.random() < 0.15:
        low = rng.uniform(-60, -20)
        kept &= z + 3 * noise_field(rng, 40)(z, y, x) > low
    if rng.random() < 0.12:
        turn = rng.standard_normal(3)
        turn /= np.linalg.norm(turn)
        away = turn[0] * z + turn[1] * y + turn[2] * x
        kept &= away + 4 * noise_field(rng, 30)(z, y, x) < rng.uniform(48, 75)
    return kept


def blend(signal: Floats, lesion: Lesion) -> Floats:
    """Put the lesion's signal over the healthy one."""
    mixed = signal * (1.0 - lesion.cover) + lesion.signal * lesion.cover
    return np.asarray(mixed, np.float32)


def cropped(image: Floats, label: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_]]:
    """Both arrays cut to the brain's bounding box and a margin."""
    box = ndimage.find_objects((image > 0).astype(np.int8))
    if not box:
        return image, label
    window = tuple(slice(max(0, s.start - MARGIN), s.stop + MARGIN) for s in box[0])
    return image[window], label[window]
