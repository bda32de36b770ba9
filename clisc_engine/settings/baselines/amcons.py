"""Settings of AMCons (Silva-Rodriguez et al., MedIA 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from clisc_engine.settings.baselines.vae import VaeSettings


class AmconsSettings(VaeSettings):
    """AMCons (`baseline amcons`): attention of an autoencoder, spread by its entropy."""

    batch_size: Annotated[int, Field(ge=1)] = Field(8, description="slices a step (original: 8)")
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = Field(
        1e-4, description="Adam's learning rate (original: 0.0001)"
    )
    kl_weight: Annotated[float, Field(ge=0)] = Field(
        10.0, description="weight of the divergence of the code from a standard normal (original: 10)"
    )
    entropy_weight: Annotated[float, Field(ge=0)] = Field(
        0.1, description="weight of the attention's entropy, which is maximised (original: 0.1)"
    )
    warm_up_epochs: Annotated[int, Field(ge=0)] = Field(
        1, description="first epochs without the entropy (original: 1)"
    )


TINY: Mapping[str, Any] = {
    "image_size": 64,
    "width": 16,
    "erosion": 2,
    "epochs": 30,
    "slices_per_epoch": 400,
    "learning_rate": 1e-3,
}
"""What the tiny preset changes."""
