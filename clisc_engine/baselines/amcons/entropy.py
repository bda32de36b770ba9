"""AMCons's map and its regulariser (Silva-Rodriguez et al., MedIA 80 (2022) 102526)."""

from __future__ import annotations

import torch
from torch import Tensor

from clisc_engine.baselines.vae.maths import cross_entropy, divergence, enlarged, eroded
from clisc_engine.baselines.vae.network import Outputs


def mean_activation(features: Tensor, _mu: Tensor, _differentiable: bool) -> Tensor:
    """The mean over the channels of features (B, C, h, w); at least 0, since they are rectified."""
    return features.mean(dim=1)


def entropy(maps: Tensor, brain: Tensor) -> Tensor:
    """Entropy in nats of each map's softmax over the brain's pixels.

    Args:
        maps: (B, S, S).
        brain: (S, S), the same for all.

    Returns:
        (B,), between 0 and the logarithm of the number of pixels; 0 where there are none.
    """
    inside = maps.float()[:, brain]
    if not inside.shape[1]:
        return inside.sum(dim=1)
    log_share = torch.log_softmax(inside, dim=1)
    return -(log_share.exp() * log_share).sum(dim=1)


def loss(
    outputs: Outputs,
    slices: Tensor,
    *,
    kl_weight: float,
    entropy_weight: float,
    erosion: int,
) -> Tensor:
    """``BCE / B + kl_weight KL / B - entropy_weight H``, a scalar; BCE and KL are sums.

    H is the mean entropy of the maps over the union of the batch's brains, eroded. The sums are the
    authors': with means, the three terms would have other proportions.

    Args:
        outputs: the network's, of B slices.
        slices: (B, 1, S, S) in [0, 1].
        kl_weight: of the divergence.
        entropy_weight: of the entropy; 0 during the warm-up.
        erosion: side in pixels of the square that erodes the brain.
    """
    count = len(slices)
    total = cross_entropy(outputs.logits, slices).sum() / count
    total = total + kl_weight * divergence(outputs.mu, outputs.log_variance).sum() / count
    if not entropy_weight:
        return total
    union = (slices[:, 0] > 0).any(dim=0, keepdim=True)
    maps = enlarged(outputs.attention, slices.shape[-1])
    return total - entropy_weight * entropy(maps, eroded(union, erosion)[0]).mean()
