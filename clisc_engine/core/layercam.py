"""Class activation maps: Layer-CAM, Grad-CAM and CAM, for whole batches.

Sources: Jiang et al., "LayerCAM", IEEE TIP 2021; Selvaraju et al., "Grad-CAM", ICCV 2017;
Zhou et al., "Learning deep features for discriminative localization", CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def layer_cam(features: Tensor, gradients: Tensor) -> Tensor:
    """Layer-CAM: ``M = ReLU(sum_k ReLU(dY/dA_k) * A_k)``, weighted element by element.

    Args:
        features: (N, K, h, w) feature maps A of a layer.
        gradients: (N, K, h, w) gradient of the class score Y with respect to A.

    Returns:
        (N, h, w), at least 0, not normalised.
    """
    return (gradients.relu() * features).sum(dim=1).relu()


def grad_cam(features: Tensor, gradients: Tensor) -> Tensor:
    """Grad-CAM: ``M = ReLU(sum_k mean(dY/dA_k) * A_k)``, one weight a channel; shapes as above."""
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return (weights * features).sum(dim=1).relu()


def cam(features: Tensor, weights: Tensor) -> Tensor:
    """CAM: ``M = ReLU(sum_k w_k A_k)`` with the last layer's class weights ``w`` (K,)."""
    return torch.einsum("nkhw,k->nhw", features, weights.to(features)).relu()


def normalise(maps: Tensor) -> Tensor:
    """Scale each of (N, h, w) maps to [0, 1]; a constant map becomes 0."""
    flat = maps.flatten(1)
    low = flat.min(dim=1).values[:, None, None]
    high = flat.max(dim=1).values[:, None, None]
    span = high - low
    return torch.where(span > 0, (maps - low) / span.clamp_min(torch.finfo(maps.dtype).tiny), 0.0)


def fuse(maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """Normalise the maps of several layers, bring them to one size and take their maximum.

    Args:
        maps: one (N, h, w) tensor a layer; h and w may differ.
        size: (H, W) of the result.

    Returns:
        (N, H, W) in [0, 1]; each non-constant map reaches 1.
    """
    resized = [
        functional.interpolate(normalise(m)[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
        for m in maps
    ]
    return normalise(torch.stack(resized).amax(dim=0))
