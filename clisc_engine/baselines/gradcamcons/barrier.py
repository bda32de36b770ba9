"""GradCAMCons's constraint: attention covers normal slices, held by an extended log-barrier.

Silva-Rodriguez et al., BMVC 2021; the barrier is Kervadec et al.'s, arXiv 1904.04205.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from clisc_engine.baselines.gradcamcons.versions import Version
from clisc_engine.baselines.vae.maths import cross_entropy, divergence, enlarged
from clisc_engine.baselines.vae.network import Outputs


def log_barrier(z: Tensor, t: float) -> Tensor:
    """``-ln(-z) / t`` where ``z <= -1/t^2``, beyond it the tangent ``t z + 2 ln(t)/t + 1/t``.

    Small where z is well under 0, steep where it is over 0, and smooth between.
    """
    corner = -1 / t**2
    far = z <= corner
    inside = -torch.log(-torch.where(far, z, corner)) / t
    return torch.where(far, inside, t * z + 2 * math.log(t) / t + 1 / t)


def uncovered(attention: Tensor, region: Tensor) -> Tensor:
    """What the attention (B, S, S) in [0, 1] leaves out of its region (B, S, S), on average, (B,)."""
    pixels = region.sum(dim=(1, 2)).clamp_min(1)
    return 1 - torch.where(region, attention, 0.0).sum(dim=(1, 2)) / pixels


def loss(
    outputs: Outputs,
    slices: Tensor,
    version: Version,
    *,
    kl_weight: float,
    constrain: str,
    constrained: bool,
) -> Tensor:
    """``BCE + kl_weight KL + weight mean(psi_t(1 - mean(g) - p))``, a scalar; g is the map's sigmoid.

    Sums over a slice and its code in MedIA's version, means in BMVC's.

    Args:
        outputs: the network's, of B slices.
        slices: (B, 1, S, S) in [0, 1].
        version: its numbers.
        kl_weight: of the divergence.
        constrain: ``slice`` or ``brain``: where g is averaged.
        constrained: whether the constraint holds yet.
    """
    surprise = cross_entropy(outputs.logits, slices)
    distance = divergence(outputs.mu, outputs.log_variance)
    if version.means:
        total = surprise.mean() + kl_weight * distance.mean()
    else:
        total = (surprise.sum() + kl_weight * distance.sum()) / len(slices)
    if not constrained:
        return total
    attention = enlarged(torch.sigmoid(outputs.attention.float()), slices.shape[-1])
    brain = slices[:, 0] > 0
    region = brain if constrain == "brain" else torch.ones_like(brain)
    z = uncovered(attention, region) - version.uncovered
    return total + version.weight * log_barrier(z, version.sharpness).mean()
