"""GradCAMCons as a row of Table 1: how its network is trained, and what its maps are."""

from __future__ import annotations

import torch
from torch import Tensor

from clisc_engine.baselines.amcons.entropy import mean_activation
from clisc_engine.baselines.gradcamcons.attention import gradient_map, raw, scaled
from clisc_engine.baselines.gradcamcons.barrier import loss
from clisc_engine.baselines.gradcamcons.versions import version_of
from clisc_engine.baselines.vae.maps import Finish
from clisc_engine.baselines.vae.network import Outputs, Vae
from clisc_engine.baselines.vae.row import attention_row
from clisc_engine.baselines.vae.training import Plan
from clisc_engine.settings.baselines.gradcamcons import GradcamconsSettings


def build(settings: GradcamconsSettings, seed: int, device: torch.device) -> Vae:
    """The network before its first step: the version's, drawn from the seed."""
    torch.manual_seed(seed)
    module = Vae(
        settings.image_size,
        settings.width,
        settings.latent,
        pooled=version_of(settings).pooled,
        attention=gradient_map if settings.weighting == "gradient" else mean_activation,
    )
    return module.to(device)


def plan(settings: GradcamconsSettings, slices: int) -> Plan:
    """How it trains on so many slices."""
    version = version_of(settings)
    drawn = min(slices, settings.slices_per_epoch or slices)

    def batch_loss(outputs: Outputs, batch: Tensor, constrained: bool) -> Tensor:
        return loss(
            outputs,
            batch,
            version,
            kl_weight=settings.kl_weight,
            constrain=settings.constrain,
            constrained=constrained,
        )

    return Plan(
        section="baselines.gradcamcons",
        settings=settings,
        batch_size=version.batch_size,
        learning_rate=settings.learning_rate,
        warm_up_epochs=version.warm_up(drawn),
        loss=batch_loss,
    )


def finish(settings: GradcamconsSettings) -> Finish:
    """Makes maps of the attention of the network's first stage."""

    def made(attention: Tensor, brain: Tensor) -> Tensor:
        if settings.normalise:
            return scaled(attention, brain, settings.weighting)
        return raw(attention, settings.weighting, settings.image_size)

    return made


GRADCAMCONS = attention_row(
    "gradcamcons", lambda project: project.settings.baselines.gradcamcons, build, plan, finish
)
"""The row."""
