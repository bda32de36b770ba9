"""GradCAMCons as a row of Table 1: how its network is trained, and what its maps are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from clisc_engine.baselines.amcons.entropy import mean_activation
from clisc_engine.baselines.gradcamcons.attention import gradient_map, raw, scaled
from clisc_engine.baselines.gradcamcons.barrier import loss
from clisc_engine.baselines.gradcamcons.versions import version_of
from clisc_engine.baselines.method import Mapper, MapRow, NormalCase
from clisc_engine.baselines.vae.maps import AttentionMapper
from clisc_engine.baselines.vae.network import Outputs, Vae
from clisc_engine.baselines.vae.slices import gather
from clisc_engine.baselines.vae.training import Plan, train_vae
from clisc_engine.project.project import Project
from clisc_engine.running.control import Control
from clisc_engine.running.device import pick_device
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


def train(
    project: Project,
    network: str,
    normal: Sequence[NormalCase],
    provenance: dict[str, str],
    control: Control,
) -> None:
    """Train the network on the normal slices of these cases, and save it."""
    settings = project.settings.baselines.gradcamcons
    data = gather(normal, settings, project.settings.window, control)
    module = build(settings, project.settings.seed, pick_device(control.device))
    train_vae(project, network, module, data, plan(settings, len(data)), provenance, control)


def mapper(project: Project, network: str, control: Control) -> Mapper:
    """The attention of the trained network's first stage."""
    settings = project.settings.baselines.gradcamcons

    def finish(attention: Tensor, brain: Tensor) -> Tensor:
        if settings.normalise:
            return scaled(attention, brain, settings.weighting)
        return raw(attention, settings.weighting, settings.image_size)

    return AttentionMapper(
        project.checkpoint(network),
        lambda: build(settings, project.settings.seed, pick_device(control.device)),
        finish,
        settings,
        project.settings.window,
        control,
    )


GRADCAMCONS = MapRow("gradcamcons", train, mapper)
"""The row."""
