"""Random changes to batches of square slices, so that phantoms alone teach what holds on scans.

Grey values travel as float 0..1 inside the brain; the background stays exactly 0.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample, interpolate


@dataclass(frozen=True)
class Strength:
    """How far the random changes reach: ranges are symmetric unless said otherwise."""

    turn_degrees: float = 18.0
    zoom: float = 0.22
    shift: float = 0.10
    flip_rows: float = 0.1
    equalise: float = 0.15
    cutout: float = 0.05


def uniform(shape: tuple[int, ...], low: float, high: float, rng: torch.Generator) -> Tensor:
    """Uniform numbers in [low, high)."""
    return torch.rand(shape, generator=rng) * (high - low) + low


def chance(count: int, share: float, rng: torch.Generator) -> Tensor:
    """(count, 1, 1, 1) booleans, true with probability ``share``."""
    return torch.rand((count, 1, 1, 1), generator=rng) < share


def moved(
    images: Tensor, masks: Tensor, size: int, strength: Strength, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Turn, stretch, shift and mirror (N, 1, S, S) images 0..255 and masks onto ``size``."""
    n = len(images)
    angle = uniform((n,), -strength.turn_degrees, strength.turn_degrees, rng).deg2rad()
    zoom = torch.exp(uniform((n, 1), -strength.zoom, strength.zoom, rng))
    aspect = torch.exp(uniform((n, 2), -0.08, 0.08, rng))
    mirror = torch.where(torch.rand((n,), generator=rng) < 0.5, -1.0, 1.0)
    upside = torch.where(torch.rand((n,), generator=rng) < strength.flip_rows, -1.0, 1.0)
    scale = zoom * aspect * torch.stack([mirror, upside], 1)
    cos, sin = angle.cos(), angle.sin()
    shift = uniform((n, 2), -strength.shift, strength.shift, rng)
    rows = (
        torch.stack([cos * scale[:, 0], -sin * scale[:, 1], shift[:, 0]], 1),
        torch.stack([sin * scale[:, 0], cos * scale[:, 1], shift[:, 1]], 1),
    )
    grid = affine_grid(torch.stack(rows, 1), [n, 1, size, size], align_corners=False)
    images = grid_sample(images, grid, align_corners=False)
    masks = grid_sample(masks, grid, align_corners=False)
    return images, (masks > 0.5).float()


def equalised(grey: Tensor, brain: Tensor) -> Tensor:
    """Histogram equalisation over each slice's brain pixels; grey 0..1, (N, 1, S, S)."""
    result = torch.zeros_like(grey)
    for k in range(len(grey)):
        inside = brain[k]
        values = grey[k][inside]
        if len(values) == 0:
            continue
        bins = (values * 255).long().clamp(0, 255)
        rank = torch.bincount(bins, minlength=256).cumsum(0).float()
        result[k][inside] = rank[bins] / rank[-1]
    return result


def recoloured(images: Tensor, strength: Strength, rng: torch.Generator) -> Tensor:
    """Other windows, gammas, contrasts, shadings, blurs and noise; (N, 1, S, S) 0..255 both."""
    n, _, size, _ = images.shape
    brain = images >= 1.0
    grey = (images - 1.0) / 254.0
    shade = torch.randn((n, 1, 4, 4), generator=rng) * uniform((n, 1, 1, 1), 0.0, 0.14, rng)
    shade = interpolate(shade, (size, size), mode="bicubic", align_corners=False)
    grey = grey.clamp(0, 1) * shade.exp()
    low = uniform((n, 1, 1, 1), -0.06, 0.06, rng)
    high = uniform((n, 1, 1, 1), 0.8, 1.25, rng)
    grey = ((grey - low) / (high - low)).clamp(0, 1)
    grey = grey ** torch.exp(uniform((n, 1, 1, 1), -0.35, 0.35, rng))
    bend = uniform((n, 1, 1, 1), -0.11, 0.11, rng)  # below 1/(2 pi): the order of greys stays
    grey = grey + bend * torch.sin(2 * torch.pi * grey)
    blurred = avg_pool2d(grey, 3, 1, 1)
    mix = uniform((n, 1, 1, 1), -0.5, 1.0, rng) * chance(n, 0.5, rng)
    grey = grey + mix * (blurred - grey)
    level = uniform((n, 1, 1, 1), 0.0, 0.05, rng) * chance(n, 0.6, rng)
    grey = (grey + level * torch.randn(grey.shape, generator=rng)).clamp(0, 1)
    flat = chance(n, strength.equalise, rng)
    if bool(flat.any()):
        grey = torch.where(flat, equalised(grey, brain), grey)
    return torch.where(brain, grey * 254.0 + 1.0, torch.zeros(()))


def with_cutouts(images: Tensor, strength: Strength, rng: torch.Generator) -> Tensor:
    """Black out one small rectangle in some slices."""
    n, _, size, _ = images.shape
    row, column = torch.arange(size).view(1, 1, -1, 1), torch.arange(size).view(1, 1, 1, -1)
    top, left = (torch.randint(0, size, (n, 1, 1, 1), generator=rng) for _ in range(2))
    high, wide = (torch.randint(6, size // 5, (n, 1, 1, 1), generator=rng) for _ in range(2))
    hole = (row >= top) & (row < top + high) & (column >= left) & (column < left + wide)
    return images.masked_fill(hole & chance(n, strength.cutout, rng), 0.0)
