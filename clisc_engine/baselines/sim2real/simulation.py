"""A simulated tumour in a normal brain, and the layers that it is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clisc_engine.baselines.sim2real.brains import Array, Brain, Mask, Scale
from clisc_engine.baselines.sim2real.shape import Shape, draw_shape, positions, rasterised
from clisc_engine.baselines.sim2real.texture import Source, brightened, draw_texture
from clisc_engine.core.boxes import bounding_box
from clisc_engine.settings.baselines.sim2real import Sim2RealSettings

HEIGHT = (0.3, 0.8)
DEPTH = (0.2, 0.8)
SIDES = ((0.24, 0.44), (0.56, 0.76))
"""Where a tumour's centre lies, as shares of the brain's box along z, y and x: never in the midline.

The original has 0.2 to 0.7 along y, of an axis whose direction its code does not show; ours covers both.
"""


@dataclass(frozen=True)
class Sample:
    """A simulated volume and its layers, all (Z, Y, X) float32 in z-scores of ``mix``.

    Attributes:
        mix: what the network sees; 0 outside the brain.
        normal: the brain without the tumour.
        tumour: ``mix`` inside the mask, 0 outside.
        mask: 0 or 1.
        weight: 1 in the brain of normal slices, 0 where nothing is learned.
    """

    mix: Array
    normal: Array
    tumour: Array
    mask: Array
    weight: Array


def blend(normal: Array, texture: Array, mask: Mask, share: float) -> Array:
    """The normal brain (Z, Y, X) with share * texture + (1 - share) * normal inside the mask."""
    part = np.float32(share)
    return np.where(mask, part * texture + (np.float32(1) - part) * normal, normal).astype(np.float32)


def layers_of(brain: Brain, mix: Array, mask: Mask) -> Sample:
    """The sample of a mix (Z, Y, X) of intensities and its mask.

    The original z-scores mix and layers each by its own voxels. Ours takes the mix's for all three, so that
    mask * tumour + (1 - mask) * normal is the mix.
    """
    inside = brain.image != 0
    scale = Scale.of(mix)
    scores = scale.apply(mix, inside)
    return Sample(
        mix=scores,
        normal=scale.apply(brain.image, inside),
        tumour=np.where(mask, scores, 0).astype(np.float32),
        mask=mask.astype(np.float32),
        weight=(inside & brain.normal[:, None, None]).astype(np.float32),
    )


def simulate(rng: np.random.Generator, ground: Brain, source: Source, settings: Sim2RealSettings) -> Sample:
    """A tumour of the source's texture, centred in a normal slice of the ground.

    Args:
        rng: of all draws.
        ground: brain with at least one of `Brain.normal_slices`.
        source: of the texture.
        settings: ranges of size, noise, brightness and blending.
    """
    low, high = settings.volume_ml
    shape = draw_shape(rng, (low, high), settings.noise)
    place = draw_place(rng, ground)
    box = bounding_box(ground.image != 0)
    step = np.array(ground.spacing)
    first = np.array([s.start for s in box]) * step
    last = np.array([s.stop - 1 for s in box]) * step
    mask, texture = _tumour(rng, ground, shape.at(first + place * (last - first)), source, place)
    share = float(rng.uniform(settings.blend[0], settings.blend[1]))
    factor = float(rng.uniform(settings.brightness[0], settings.brightness[1]))
    if mask.any():
        mean = factor * float(ground.image[ground.image != 0].mean(dtype=np.float64))
        texture = brightened(texture, mask, mean)
    return layers_of(ground, blend(ground.image, texture, mask, share), mask)


def draw_place(rng: np.random.Generator, ground: Brain) -> npt.NDArray[np.float64]:
    """Where a tumour's centre lies: shares (3,) of the brain's box along z, y and x.

    Its height is that of a normal slice; of those within `HEIGHT`, if there are.
    """
    slices = np.flatnonzero((ground.image != 0).any(axis=(1, 2)))
    heights = (slices - slices[0]) / max(1, slices[-1] - slices[0])
    normal = np.isin(slices, ground.normal_slices)
    within = normal & (heights >= HEIGHT[0]) & (heights <= HEIGHT[1])
    height = rng.choice(heights[within if within.any() else normal])
    side = SIDES[int(rng.integers(2))]
    return np.array([height, rng.uniform(*DEPTH), rng.uniform(*side)])


def _tumour(
    rng: np.random.Generator,
    ground: Brain,
    shape: Shape,
    source: Source,
    place: npt.NDArray[np.float64],
) -> tuple[Mask, Array]:
    """Mask and texture (Z, Y, X) of a shape, cut at the ground's brain; both are 0 elsewhere."""
    mask = np.zeros(ground.image.shape, bool)
    texture = np.zeros(ground.image.shape, np.float32)
    reached, inside = rasterised(shape, ground.image.shape, ground.spacing)
    mask[reached] = inside
    mask &= ground.image != 0
    if mask.any():
        z, y, x = bounding_box(mask)
        around = positions((z, y, x), ground.spacing) - shape.centre[:, None, None, None]
        texture[z, y, x] = draw_texture(rng, source, place, around, ground.spacing)
    return mask, np.where(mask, texture, 0).astype(np.float32)
