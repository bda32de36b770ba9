"""Settings of 3D IF, the implicit field (`clisc baseline if3d`).

"original" is the authors' released code in its variant of 160 voxels a side, trained on T2 of 1055 healthy
adults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from clisc_engine.settings.section import Section

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, lt=1)]
Length = Annotated[float, Field(ge=0, le=100)]


class If3dSettings(Section):
    """3D IF: one field network for all normal volumes, a code for each (`baseline if3d`)."""

    grid_mm: Annotated[float, Field(gt=0, le=20)] = Field(
        1.5, description="mm of the grid's voxels; coarser axes keep their own (original: 1.5)"
    )
    grid_side: Annotated[int, Field(ge=8, le=1024)] = Field(
        160, description="voxels of the grid along an axis at most (original: 160)"
    )
    clip_low: Annotated[float, Field(ge=0, lt=50)] = Field(
        2.0, description="percentile of the brain's voxels that becomes 0 (original: 2)"
    )
    clip_high: Annotated[float, Field(gt=50, le=100)] = Field(
        98.0, description="percentile of the brain's voxels that becomes 1 (original: 98)"
    )
    classes: Annotated[int, Field(ge=2, le=64)] = Field(
        10, description="classes of intensity, by k-means (original: 10 with the background)"
    )
    mode_filter_mm: Length = Field(
        3.0, description="side of the box whose most frequent class a voxel takes, in mm (original: 3)"
    )
    frequencies: Annotated[int, Field(ge=1, le=16)] = Field(
        10,
        description="Fourier features of a position: sin and cos of 2^k pi x, k under this (original: 10)",
    )
    width: Annotated[int, Field(ge=8, le=8192)] = Field(
        512, description="channels of the hidden layers (original: 512)"
    )
    layers: Annotated[int, Field(ge=2, le=64)] = Field(8, description="hidden layers (original: 8)")
    code_length: Annotated[int, Field(ge=1, le=4096)] = Field(
        256, description="numbers in a volume's code (original: 256)"
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.2, description="dropout after each hidden layer (original: 0.2)"
    )
    epochs: Count = Field(2001, description="passes over the volumes (original: 2001)")
    batch_size: Count = Field(6, description="volumes a step (original: 6)")
    points: Count = Field(16384, description="voxels drawn of each volume in a step (original: 16384)")
    learning_rate: Rate = Field(5e-4, description="Adam's for the network (original: 0.0005)")
    code_learning_rate: Rate = Field(1e-3, description="Adam's for the codes (original: 0.001)")
    halve_every: Annotated[int, Field(ge=0)] = Field(
        500, description="epochs between halvings of both learning rates; 0 never (original: 500)"
    )
    code_penalty: Annotated[float, Field(ge=0, le=1)] = Field(
        1e-4, description="weight of the codes' norms in the loss, from epoch 100 on (original: 0.0001)"
    )
    fit_steps: Count = Field(501, description="steps that fit a new volume's code (original: 501)")
    fit_points: Count = Field(10_000, description="voxels in each of them (original: 10000)")
    refine_steps: Annotated[int, Field(ge=0)] = Field(
        101, description="further steps with more voxels (original: 101)"
    )
    refine_points: Count = Field(50_000, description="voxels in each of those (original: 50000)")
    fit_learning_rate: Rate = Field(1e-3, description="Adam's for a new volume's code (original: 0.001)")
    fit_share: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0,
        description="share of the voxels, those of least loss, that a code fits after its first 100 steps; "
        "under 1 a tumour pulls it less (original: all)",
    )
    min_pool_mm: Length = Field(
        4.5, description="side of the box whose least improbability a voxel takes, in mm (original: 4.5)"
    )
    mean_pool_mm: Length = Field(
        22.5, description="side of the box over which the map is averaged, in mm (original: 22.5)"
    )

    @property
    def inputs(self) -> int:
        """Numbers that the network gets for a point: the code and the Fourier features of z, y and x."""
        return self.code_length + 6 * self.frequencies

    @model_validator(mode="after")
    def _wide_enough(self) -> If3dSettings:
        if self.width <= self.inputs:
            raise ValueError(
                f"width must be over code_length + 6 x frequencies, {self.inputs}, which the middle layer "
                "gets once more"
            )
        return self


TINY: Mapping[str, Any] = {
    "grid_mm": 5.0,
    "grid_side": 48,
    "clip_high": 100.0,
    "frequencies": 4,
    "width": 128,
    "layers": 4,
    "code_length": 32,
    "dropout": 0.0,
    "epochs": 90,
    "points": 1024,
    "learning_rate": 2e-3,
    "code_learning_rate": 5e-3,
    "halve_every": 30,
    "fit_steps": 150,
    "fit_points": 2048,
    "refine_steps": 0,
    "fit_learning_rate": 1e-2,
    "fit_share": 0.8,
    "mean_pool_mm": 15.0,
}
"""What the tiny preset changes. On phantoms a clip at 98 % makes a lesion as dark as the brightest healthy
voxels: the lesions of the demo are 2 to 9 % of the brain. A stored image is clipped at 99.9 % already."""
