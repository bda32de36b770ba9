"""Settings of GradCAMCons (Silva-Rodriguez et al., BMVC 2021 and MedIA 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from clisc_engine.settings.baselines.vae import VaeSettings


class GradcamconsSettings(VaeSettings):
    """GradCAMCons (`baseline gradcamcons`): an autoencoder's attention has to cover normal slices.

    The published versions differ in scale, so a number of one means nothing in the other: where 0 takes
    the version's own, leave it at 0 unless you know the version.
    """

    weighting: Literal["gradient", "activation"] = Field(
        "activation",
        description="the attention map: the mean activation (MedIA 2022 as released, which the paper "
        "cites), or Grad-CAM of the latent mean (BMVC 2021); with it go the network and the losses' scale",
    )
    constrain: Literal["slice", "brain"] = Field(
        "slice", description="where the attention is averaged (original: slice, background included)"
    )
    batch_size: Annotated[int, Field(ge=0)] = Field(
        0, description="slices a step; 0 takes the version's own (gradient: 32, activation: 8)"
    )
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = Field(
        1e-5, description="Adam's learning rate (original: 0.00001)"
    )
    kl_weight: Annotated[float, Field(ge=0)] = Field(
        1.0, description="weight of the divergence of the code from a standard normal (original: 1)"
    )
    constraint_weight: Annotated[float, Field(ge=0)] = Field(
        0.0,
        description="weight of the constraint; 0 takes the version's own (gradient: 10, activation: 1000)",
    )
    uncovered: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0,
        description="share p of a slice that attention may leave out; 0 takes the version's own "
        "(gradient: 0.2, activation: 0.01)",
    )
    sharpness: Annotated[float, Field(ge=0)] = Field(
        0.0, description="t of the log-barrier; 0 takes the version's own (gradient: 20, activation: 10)"
    )
    warm_up_epochs: Annotated[int, Field(ge=0)] = Field(
        0,
        description="first epochs without the constraint; 0 takes the version's own (gradient: as many as "
        "400 steps take, and one; activation: 51)",
    )
    normalise: bool = Field(
        False,
        description="scale each slice's map by its own extremes (original: yes, but then each slice has a "
        "maximum, and one threshold marks something in all)",
    )


TINY: Mapping[str, Any] = {
    "image_size": 64,
    "width": 16,
    "erosion": 2,
    "epochs": 30,
    "slices_per_epoch": 400,
    "learning_rate": 1e-3,
    "batch_size": 16,
    "warm_up_epochs": 5,
}
"""What the tiny preset changes."""
