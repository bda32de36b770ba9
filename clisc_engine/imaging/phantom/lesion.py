"""Tumours: level fields with irregular borders, cut at the volume asked for, and their inside.

A level field grows outwards from one or several seeds, bent by noise and by tissue (oedema runs
along white matter and spares cortex); the lesion is its lowest part inside the parenchyma, so its
volume is exact by construction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clisc_engine.imaging.phantom.anatomy import Anatomy, Point
from clisc_engine.imaging.phantom.noise import Floats, Grid, noise_field, rough_noise

LesionKind = Literal[
    "solid", "cored", "mixed", "subtle", "cavity", "metastases", "infiltrating", "grey-cored", "cystic"
]


@dataclass(frozen=True)
class Lesions:
    """Which lesions a set of phantoms has: how often each kind, and how large.

    Volumes are log-normal about ``median_ml``, ``spread`` being the standard deviation of the logarithm,
    within 3 ml and ``largest_ml``. ``push`` is the strongest mass effect. ``brightness`` is the range of
    the oedema's signal beside that of cortex.
    """

    frequency: Mapping[LesionKind, float]
    median_ml: float = 55.0
    spread: float = 0.8
    largest_ml: float = 170.0
    push: float = 0.45
    brightness: tuple[float, float] = (1.3, 2.2)

    def draw_kind(self, rng: np.random.Generator) -> LesionKind:
        """A kind, by its frequency."""
        kinds = tuple(self.frequency)
        return kinds[int(rng.choice(len(kinds), p=tuple(self.frequency.values())))]

    def draw_volume(self, rng: np.random.Generator) -> float:
        """A volume in ml."""
        drawn = np.exp(rng.normal(np.log(self.median_ml), self.spread))
        return float(np.clip(drawn, 3.0, self.largest_ml))


PLAIN = Lesions(
    {"solid": 0.30, "cored": 0.30, "mixed": 0.18, "subtle": 0.08, "cavity": 0.08, "metastases": 0.06}
)
"""Those of demos and tests."""

GLIOMAS = Lesions(
    {
        "solid": 0.22,
        "cored": 0.12,
        "mixed": 0.16,
        "subtle": 0.10,
        "cavity": 0.04,
        "metastases": 0.04,
        "infiltrating": 0.18,
        "grey-cored": 0.10,
        "cystic": 0.04,
    },
    median_ml=75.0,
    largest_ml=260.0,
    push=0.6,
    brightness=(1.12, 2.1),
)
"""Those that the bundled models learn from. Like real ones, many are hardly brighter than cortex, reach
faintly beyond their bright part, or fill a quarter of the brain."""

KINDS: tuple[LesionKind, ...] = tuple(GLIOMAS.frequency)


@dataclass(frozen=True)
class Lesion:
    """A drawn lesion: all arrays (Z, Y, X).

    ``cover`` is how much of the tissue's signal it replaces, ``signal`` what it puts there (white
    matter is 1), ``mask`` the whole tumour, ``removed`` tissue cut away that is not tumour.
    """

    cover: Floats
    signal: Floats
    mask: NDArray[np.bool_]
    removed: NDArray[np.bool_]
    kind: LesionKind


def draw_seed(rng: np.random.Generator) -> Point:
    """A place within a hemisphere (z, y, x in mm), seldom in the cerebellum."""
    side = float(rng.choice([-1.0, 1.0]))
    if rng.random() < 0.05:
        return float(rng.uniform(-50, -36)), float(rng.uniform(30, 55)), side * rng.uniform(8, 35)
    if rng.random() < 0.12:  # temporal pole
        return float(rng.uniform(-32, -14)), float(rng.uniform(-35, 20)), side * rng.uniform(34, 55)
    while True:
        z, y, x = rng.uniform(-10, 62), rng.uniform(-75, 76), rng.uniform(6, 56)
        if ((z - 8) / 54) ** 2 + (y / 76) ** 2 + (x / 56) ** 2 < 1:
            return float(z), float(y), side * float(x)


def grow(
    rng: np.random.Generator, z: Floats, y: Floats, x: Floats, seed: Point, size: float, lobes: int
) -> Floats:
    """A level field about ``seed``; ``size`` is the expected radius in mm."""
    bend = rng.uniform(0.10, 0.45) * size
    wave = max(size * rng.uniform(1.0, 2.0), 10.0)
    warp = [bend * rough_noise(rng, wave, z, y, x, octaves=2) for _ in range(3)]
    level = np.full(z.shape, np.inf, np.float32)
    for lobe in range(lobes):
        shift = rng.normal(0, 0.55 * size, 3) if lobe else np.zeros(3)
        turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        stretch = rng.uniform(0.7, 1.45, 3)
        gaps = [a + w - c - s for a, w, c, s in zip((z, y, x), warp, seed, shift, strict=True)]
        square = np.zeros(z.shape, np.float32)
        for row, factor in zip(turn, stretch, strict=True):
            square += ((row[0] * gaps[0] + row[1] * gaps[1] + row[2] * gaps[2]) * factor) ** 2
        level = np.minimum(level, np.sqrt(square) + 0.25 * size * (lobe > 0))
    return level


def lowest(level: Floats, allowed: NDArray[np.bool_], voxels: int) -> float:
    """The level under which ``voxels`` of the allowed ones lie."""
    values = level[allowed]
    if values.size == 0:
        return -np.inf
    return float(np.partition(values, min(voxels, values.size) - 1)[min(voxels, values.size) - 1])


def draw_lesion(
    rng: np.random.Generator,
    anatomy: Anatomy,
    healthy: Floats,
    grid: Grid,
    step: Point,
    kind: LesionKind,
    volume_ml: float,
    seed: Point,
    brightness: float | tuple[float, float] = PLAIN.brightness,
) -> Lesion:
    """Draw one lesion of ``kind`` and about ``volume_ml`` in a brain of ``healthy`` signal."""
    z, y, x = grid
    tissue = (anatomy.grey + anatomy.white > 0.5) & anatomy.brain
    voxels = max(8, int(volume_ml * 1000.0 / float(np.prod(step))))
    size = (volume_ml * 1000.0 * 3 / (4 * np.pi)) ** (1 / 3)
    if kind == "metastases":
        level = scattered(rng, grid, seed, size)
    else:
        level = grow(rng, z, y, x, seed, size, int(rng.integers(1, 5)))
    # Cortex resists infiltration, white matter invites it; the midline is seldom crossed.
    resist = rng.uniform(0.0, 0.5) * size * anatomy.grey / (anatomy.grey + anatomy.white + 0.05)
    crossing = rng.uniform(0.2, 1.5) * np.maximum(0.0, -x * np.sign(seed[2]))
    outer = level + resist + crossing + 30.0 * (anatomy.cerebellum > 0.5) * (seed[0] > -30)
    cut = lowest(outer, tissue, voxels)
    mask = tissue & (outer <= cut)
    blur = rng.uniform(0.8, 5.0) if kind != "cavity" else rng.uniform(0.8, 2.5)
    cover = np.clip(0.75 + (cut - outer) / blur, 0.0, 1.0) * (anatomy.csf < 0.6) * anatomy.brain
    # A big mass closes the sulci it swallows.
    swallowed = (level <= 0.6 * cut) & anatomy.brain & (anatomy.ventricle < 0.5)
    cover = np.where(swallowed, 1.0, cover)
    mask = mask | swallowed
    width = [2.0 / d for d in step]  # a reader's outline is smoother than the tissue
    mask = (ndimage.gaussian_filter(mask.astype(np.float32), width) > 0.5) & anatomy.brain
    cortex = float(healthy[anatomy.grey > 0.6].mean()) if (anatomy.grey > 0.6).any() else 1.2
    signal, removed = inside(rng, grid, level, mask, kind, cortex, brightness)
    mask &= ~removed
    return Lesion(cover.astype(np.float32), signal, mask, removed, kind)


def scattered(rng: np.random.Generator, grid: Grid, seed: Point, size: float) -> Floats:
    """Several round lesions apart from each other as one level field."""
    count = int(rng.integers(2, 7))
    each = size / count ** (1 / 3)
    level = grow(rng, *grid, seed, each, 1)
    for _ in range(count - 1):
        other = grow(rng, *grid, draw_seed(rng), each, 1)
        level = np.minimum(level, other + rng.uniform(-0.3, 0.6) * each)
    return level


CORE_SHARE: Mapping[LesionKind, tuple[float, float]] = {
    "cavity": (0.04, 0.7),
    "grey-cored": (0.15, 0.65),
    "cystic": (0.25, 0.85),
}
"""Least and greatest share of the lesion that its core takes; other kinds have 0.04 to 0.5."""


def infiltrated(
    rng: np.random.Generator,
    grid: Grid,
    level: Floats,
    mask: NDArray[np.bool_],
    edge: float,
    cortex: float,
    bright: Floats,
    texture: Floats,
) -> Floats:
    """A ragged ``bright`` part within tissue hardly brighter than ``cortex``; sometimes a core."""
    z, y, x = grid
    ragged = level + rng.uniform(0.1, 0.5) * edge * noise_field(rng, max(0.8 * edge, 10.0))(z, y, x)
    part = max(1, int(rng.uniform(0.15, 0.75) * mask.sum()))
    bright_share = np.clip(0.5 + (lowest(ragged, mask, part) - ragged) / rng.uniform(1.5, 10.0), 0, 1)
    faint = cortex * rng.uniform(1.0, 1.25) * (1.0 + 0.5 * texture)
    signal = bright * bright_share + faint * (1 - bright_share)
    if rng.random() < 0.4:
        core = max(1, int(rng.uniform(0.1, 0.6) * part))
        core_share = np.clip(0.5 + (lowest(ragged, mask, core) - ragged) / rng.uniform(0.8, 3.0), 0, 1)
        signal = signal * (1 - core_share) + rng.uniform(0.2, 1.3) * core_share
    return np.asarray(signal, np.float32)


def inside(
    rng: np.random.Generator,
    grid: Grid,
    level: Floats,
    mask: NDArray[np.bool_],
    kind: LesionKind,
    cortex: float,
    brightness: float | tuple[float, float],
) -> tuple[Floats, NDArray[np.bool_]]:
    """The lesion's signal beside that of ``cortex``, and the tissue a surgeon removed."""
    z, y, x = grid
    none = np.zeros(z.shape, bool)
    edge = max(lowest(level, mask, int(mask.sum())), 1.0)
    bright = cortex * (rng.uniform(*brightness) if isinstance(brightness, tuple) else brightness)
    texture = rough_noise(rng, rng.uniform(8, 30), z, y, x) * rng.uniform(0.01, 0.12)
    oedema = bright * rng.uniform(0.85, 1.1) * (1.0 + texture)
    oedema = oedema * (1.0 - rng.uniform(0.0, 0.25) * np.clip(level / edge, 0, 1))
    if kind == "subtle":
        return (cortex * rng.uniform(1.08, 1.3) * (1.0 + 0.5 * texture)).astype(np.float32), none
    if kind == "solid":
        if rng.random() < 0.5:
            patch = 0.5 + 0.5 * np.tanh(2 * noise_field(rng, 25)(z, y, x))
            oedema = oedema * (1.0 - rng.uniform(0.05, 0.3) * patch)
        return oedema.astype(np.float32), none
    if kind == "infiltrating":
        return infiltrated(rng, grid, level, mask, edge, cortex, oedema, texture), none
    return cored(rng, grid, level, mask, edge, kind, cortex, oedema, texture)


def cored(
    rng: np.random.Generator,
    grid: Grid,
    level: Floats,
    mask: NDArray[np.bool_],
    edge: float,
    kind: LesionKind,
    cortex: float,
    oedema: NDArray[np.floating],
    texture: Floats,
) -> tuple[Floats, NDArray[np.bool_]]:
    """A core of another signal within ``oedema``, and the tissue a surgeon removed."""
    z, y, x = grid
    removed = np.zeros(z.shape, bool)
    share = float(rng.uniform(*CORE_SHARE.get(kind, (0.04, 0.5))))
    ragged = level + rng.uniform(0.05, 0.3) * edge * noise_field(rng, max(edge, 10.0))(z, y, x)
    within = lowest(ragged, mask, max(1, int(share * mask.sum()))) - ragged
    core = np.clip(0.5 + within / rng.uniform(0.8, 3.0), 0, 1)
    if kind == "mixed":
        spots = rough_noise(rng, rng.uniform(10, 28), z, y, x)
        core = core * np.clip(0.5 + spots * rng.uniform(0.6, 3.0), 0, 1)
        value = rng.uniform(0.25, 1.3) * (1.0 + texture)
    elif kind == "cavity":
        value = rng.uniform(0.05, 0.35) * np.ones_like(level)
        style = rng.random()
        if style < 0.35:
            removed = core > 0.5
        elif style < 0.65:
            oedema = cortex * rng.uniform(1.03, 1.25) * (1.0 + texture)
    elif kind == "grey-cored":
        value = cortex * rng.uniform(0.85, 1.15) * (1.0 + texture)
    elif kind == "cystic":
        value = rng.uniform(0.1, 0.6) * (1.0 + 0.5 * texture)
        oedema = oedema * (1.0 + rng.uniform(0, 0.3) * np.exp(-((within / rng.uniform(1.2, 3.0)) ** 2)))
    else:
        value = rng.choice([rng.uniform(0.1, 0.5), rng.uniform(0.5, 1.0), rng.uniform(0.9, 1.25)])
        value = value * (1.0 + 0.6 * texture)
        rim = np.exp(-((within / rng.uniform(1.2, 3.5)) ** 2))
        oedema = oedema * (1.0 + rng.uniform(-0.35, 0.35) * rim)
    return (oedema * (1 - core) + value * core).astype(np.float32), removed
