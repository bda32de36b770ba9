"""Settings of the rival Sim2Real (``baselines.sim2real``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from clisc_engine.settings.section import Section

Positive = Annotated[float, Field(gt=0)]
Range = Annotated[list[float], Field(min_length=2, max_length=2)]


class Sim2RealSettings(Section):
    """Simulated tumours in normal brain, taken apart into layers by a network; then self-training."""

    grid: Annotated[list[Annotated[int, Field(ge=8)]], Field(min_length=3, max_length=3)] = Field(
        [128, 128, 128],
        description="voxels (Z, Y, X) to which each brain's box is resized (original: 128 each way)",
    )
    network: Literal["double_conv", "residual"] = Field(
        "double_conv",
        description="double_conv: the original's U-Net, with instance normalisation; residual: MONAI's, "
        "which halves the grid at once and is several times faster",
    )
    channels: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=2)] = Field(
        [64, 128, 256, 512], description="channels of the levels, finest first (original: 64 128 256 512)"
    )
    volume_ml: Range = Field(
        [7.0, 200.0], description="least and largest volume of a simulated tumour (original: 7 to 200)"
    )
    noise: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.5, description="how far noise moves the surface, in radii of the tumour (original: 0.5)"
    )
    brightness: Range = Field(
        [1.0, 3.0],
        description="mean of the texture over that of the brain, before blending (original: 1 to 3)",
    )
    blend: Range = Field(
        [0.2, 0.8], description="share of the texture in the simulated tumour (original: 0.2 to 0.8)"
    )
    epochs: Annotated[int, Field(ge=1)] = Field(
        500, description="passes of stage 1 (original: up to 500, stopped when the loss stands still)"
    )
    samples_per_epoch: Annotated[int, Field(ge=1)] = Field(
        285, description="samples an epoch, in both stages (original: 285)"
    )
    batch_size: Annotated[int, Field(ge=1)] = Field(2, description="samples a step (original: 2)")
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.01, description="initial learning rate of Adam (original: 0.01)"
    )
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = Field(
        3e-5, description="weight decay of Adam (original: 0.00003)"
    )
    poly_power: Annotated[float, Field(ge=0, le=10)] = Field(
        0.9,
        description="learning rate times (1 - epoch/epochs) to this power (original: a tenth when the loss "
        "has stood still for 10 epochs)",
    )
    clip_norm: Positive = Field(
        1.0, description="longest gradient of a step; longer ones are scaled down (original: any)"
    )
    select: Literal["last", "best"] = Field(
        "best",
        description="keep stage 1's last epoch, or the one whose layers recompose valid's images best, "
        "which needs no label (original: best)",
    )
    warm_up: Annotated[int, Field(ge=0)] = Field(
        10, description="first epochs of stage 1 that are not kept as best (original: 0)"
    )
    stage2_epochs: Annotated[int, Field(ge=1)] = Field(
        50, description="passes of self-training (original: not released)"
    )
    stage2_learning_rate: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.001, description="initial learning rate of self-training (original: not released)"
    )
    stage2_min_ml: Annotated[float, Field(ge=0)] = Field(
        1.0, description="self-training leaves out cases with less tumour found (original: not released)"
    )
    stage2_drop: Annotated[float, Field(ge=0, lt=100)] = Field(
        20.0,
        description="percentage of the cases left out of self-training, least certain first (original: not "
        "released)",
    )

    @field_validator("volume_ml", "brightness", "blend")
    @classmethod
    def _ordered(cls, limits: list[float]) -> list[float]:
        if not 0 <= limits[0] <= limits[1]:
            raise ValueError("give the least value, then the largest; neither under 0")
        return limits

    @field_validator("blend")
    @classmethod
    def _share(cls, limits: list[float]) -> list[float]:
        if limits[1] > 1:
            raise ValueError("a share is at most 1")
        return limits

    @field_validator("volume_ml")
    @classmethod
    def _some_volume(cls, limits: list[float]) -> list[float]:
        if limits[0] <= 0:
            raise ValueError("a tumour has a volume over 0")
        return limits

    @model_validator(mode="after")
    def _halves(self) -> Sim2RealSettings:
        halvings = 2 ** (len(self.channels) - 1)
        if any(side % halvings for side in self.grid):
            raise ValueError(
                f"each side of grid must be a multiple of {halvings} for {len(self.channels)} levels"
            )
        if max(self.grid) == halvings:
            raise ValueError(
                f"a side of grid must be larger than {halvings} for {len(self.channels)} levels, or the "
                "last has a single voxel, which cannot be normalised"
            )
        return self


TINY: Mapping[str, Any] = {
    "grid": [32, 48, 48],
    "network": "residual",
    "channels": [16, 32, 64, 128, 256],
    "brightness": [2.0, 3.0],
    "blend": [0.4, 0.8],
    "epochs": 20,
    "samples_per_epoch": 24,
    "batch_size": 1,
    "learning_rate": 0.003,
    "stage2_epochs": 5,
    "stage2_learning_rate": 0.001,
}
"""What the tiny preset changes. Its few steps do not suffice to tell faint tumours from normal brain, so it
simulates bright ones."""
