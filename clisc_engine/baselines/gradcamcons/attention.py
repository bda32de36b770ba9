"""GradCAMCons's attention maps (Silva-Rodriguez et al., BMVC 2021, arXiv 2109.00482, and MedIA 2022)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from clisc_engine.baselines.vae.maths import enlarged

SMALL = 1e-3
"""Keeps MedIA's normalisation from dividing by 0."""


def gradient_map(features: Tensor, mu: Tensor, differentiable: bool) -> Tensor:
    """Grad-CAM of the latent means: ``sum_k alpha_k f_k`` with ``alpha_k = mean_xy d(sum mu) / d f_k``.

    Neither rectified nor squashed.

    Args:
        features: f, (B, C, h, w), from which ``mu`` was computed.
        mu: (B, L).
        differentiable: keep the gradient's own graph, for training.

    Returns:
        (B, h, w), of any sign.
    """
    (gradient,) = torch.autograd.grad(mu.sum(), features, create_graph=differentiable)
    return (gradient.mean(dim=(2, 3), keepdim=True) * features).sum(dim=1)


def brain_scaled(maps: Tensor, brain: Tensor) -> Tensor:
    """BMVC's normalisation: each map (B, S, S) less its minimum over its brain (B, S, S), over its maximum.

    A map without brain, or constant on it, becomes 0.
    """
    low = maps.masked_fill(~brain, torch.inf).amin(dim=(1, 2), keepdim=True)
    shifted = torch.where(brain, maps - low, 0.0)
    high = shifted.amax(dim=(1, 2), keepdim=True)
    return torch.where(high > 0, shifted / high.clamp_min(torch.finfo(maps.dtype).tiny), 0.0)


def rows_scaled(maps: Tensor) -> Tensor:
    """MedIA's normalisation: each map (B, h, w) less its smallest row maximum, over its new maximum.

    Its code adds 0.001 to both. A map is negative wherever it lies under that row maximum, and 0 here.
    """
    shifted = maps - (maps.amax(dim=2).amin(dim=1)[:, None, None] + SMALL)
    return (shifted / (shifted.amax(dim=(1, 2), keepdim=True) + SMALL)).clamp_min(0)


def raw(maps: Tensor, weighting: str, size: int) -> Tensor:
    """Attention (B, h, w) as the map (B, S, S), at least 0 and comparable between slices.

    The mean activation as it is; Grad-CAM c as ``softplus(c) = -ln(1 - sigmoid(c))``. This is ours: it
    keeps c's order, so that a threshold marks what one of c would mark, but what is outside the brain can
    be 0 without being high.
    """
    larger = enlarged(maps, size)
    return functional.softplus(larger) if weighting == "gradient" else larger


def scaled(maps: Tensor, brain: Tensor, weighting: str) -> Tensor:
    """Attention (B, h, w) as the published map (B, S, S), each slice scaled by itself; brain (B, S, S)."""
    size = brain.shape[-1]
    if weighting == "gradient":
        return brain_scaled(enlarged(maps, size), brain)
    return enlarged(rows_scaled(maps), size)
