"""A row of Table 1 that an autoencoder's attention gives: the same way whatever its constraint is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from clisc_engine.baselines.method import Mapper, MapRow, NormalCase
from clisc_engine.baselines.vae.maps import AttentionMapper, Finish
from clisc_engine.baselines.vae.network import Vae
from clisc_engine.baselines.vae.slices import gather
from clisc_engine.baselines.vae.training import Plan, train_vae
from clisc_engine.project.project import Project
from clisc_engine.running.control import Control
from clisc_engine.running.device import pick_device
from clisc_engine.settings.baselines.vae import VaeSettings

Own = TypeVar("Own", bound=VaeSettings)
"""A method's settings."""


def attention_row(
    name: str,
    settings_of: Callable[[Project], Own],
    build: Callable[[Own, int, torch.device], Vae],
    plan: Callable[[Own, int], Plan],
    finish: Callable[[Own], Finish],
) -> MapRow:
    """The row of a method.

    Args:
        name: of the row.
        settings_of: the method's in a project.
        build: the network before its first step, drawn from a seed, on a device.
        plan: how it trains on so many slices.
        finish: makes maps of its attention.
    """

    def built(project: Project, control: Control) -> Vae:
        return build(settings_of(project), project.settings.seed, pick_device(control.device))

    def train(
        project: Project,
        network: str,
        normal: Sequence[NormalCase],
        provenance: dict[str, str],
        control: Control,
    ) -> None:
        settings = settings_of(project)
        data = gather(normal, settings, project.settings.window, control)
        module = built(project, control)
        train_vae(project, network, module, data, plan(settings, len(data)), provenance, control)

    def mapper(project: Project, network: str, control: Control) -> Mapper:
        settings = settings_of(project)
        return AttentionMapper(
            project.checkpoint(network),
            lambda: built(project, control),
            finish(settings),
            settings,
            project.settings.window,
            control,
        )

    return MapRow(name, train, mapper)
