"""AMCons as a row of Table 1: how its network is trained, and what its maps are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from clisc_engine.baselines.amcons.entropy import loss, mean_activation
from clisc_engine.baselines.method import Mapper, MapRow, NormalCase
from clisc_engine.baselines.vae.maps import AttentionMapper
from clisc_engine.baselines.vae.maths import enlarged
from clisc_engine.baselines.vae.network import Outputs, Vae
from clisc_engine.baselines.vae.slices import gather
from clisc_engine.baselines.vae.training import Plan, train_vae
from clisc_engine.project.project import Project
from clisc_engine.running.control import Control
from clisc_engine.running.device import pick_device
from clisc_engine.settings.baselines.amcons import AmconsSettings


def build(settings: AmconsSettings, seed: int, device: torch.device) -> Vae:
    """The network before its first step: MedIA's, drawn from the seed."""
    torch.manual_seed(seed)
    module = Vae(
        settings.image_size, settings.width, settings.latent, pooled=False, attention=mean_activation
    )
    return module.to(device)


def plan(settings: AmconsSettings) -> Plan:
    """How it trains."""

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


def train(
    project: Project,
    network: str,
    normal: Sequence[NormalCase],
    provenance: dict[str, str],
    control: Control,
) -> None:
    """Train the network on the normal slices of these cases, and save it."""
    settings = project.settings.baselines.amcons
    data = gather(normal, settings, project.settings.window, control)
    module = build(settings, project.settings.seed, pick_device(control.device))
    train_vae(project, network, module, data, plan(settings), provenance, control)


def mapper(project: Project, network: str, control: Control) -> Mapper:
    """The mean activation of the trained network's first stage, not normalised."""
    settings = project.settings.baselines.amcons
    return AttentionMapper(
        project.checkpoint(network),
        lambda: build(settings, project.settings.seed, pick_device(control.device)),
        lambda attention, _brain: enlarged(attention, settings.image_size),
        settings,
        project.settings.window,
        control,
    )


AMCONS = MapRow("amcons", train, mapper)
"""The row."""
