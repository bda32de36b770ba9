"""AMCons as a row of Table 1: how its network is trained, and what its maps are."""

from __future__ import annotations

import torch
from torch import Tensor

from clisc_engine.baselines.amcons.entropy import loss, mean_activation
from clisc_engine.baselines.vae.maps import Finish
from clisc_engine.baselines.vae.maths import enlarged
from clisc_engine.baselines.vae.network import Outputs, Vae
from clisc_engine.baselines.vae.row import attention_row
from clisc_engine.baselines.vae.training import Plan
from clisc_engine.settings.baselines.amcons import AmconsSettings


def build(settings: AmconsSettings, seed: int, device: torch.device) -> Vae:
    """The network before its first step: MedIA's, drawn from the seed."""
    torch.manual_seed(seed)
    module = Vae(
        settings.image_size, settings.width, settings.latent, pooled=False, attention=mean_activation
    )
    return module.to(device)


def plan(settings: AmconsSettings, _slices: int) -> Plan:
    """How it trains, on however many slices."""

    def batch_loss(outputs: Outputs, slices: Tensor, constrained: bool) -> Tensor:
        return loss(
            outputs,
            slices,
            kl_weight=settings.kl_weight,
            entropy_weight=settings.entropy_weight if constrained else 0.0,
            erosion=settings.erosion,
        )

    return Plan(
        section="baselines.amcons",
        settings=settings,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        warm_up_epochs=settings.warm_up_epochs,
        loss=batch_loss,
    )


def finish(settings: AmconsSettings) -> Finish:
    """Makes maps of the mean activation of the network's first stage, which is not normalised."""
    return lambda attention, _brain: enlarged(attention, settings.image_size)


AMCONS = attention_row("amcons", lambda project: project.settings.baselines.amcons, build, plan, finish)
"""The row."""
