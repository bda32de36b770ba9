"""Settings of SaLIP, the rival of Table 1 that lets CLIP choose among the parts that SAM finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from clisc_engine.settings.section import Fraction, Section


class SalipSettings(Section):
    """SaLIP (`baseline salip`): SAM's parts of a slice, the one that CLIP prefers, SAM again."""

    points_per_side: Annotated[int, Field(ge=1, le=128)] = Field(
        16,
        description="a square grid of so many points a side prompts SAM (original: 16, 32 or 64, drawn and "
        "scored by references)",
    )
    crop_layers: Annotated[int, Field(ge=0, le=3)] = Field(
        1, description="layer i cuts the slice into 4^i overlapping crops, each encoded anew (original: 1)"
    )
    downscale: Annotated[int, Field(ge=1, le=8)] = Field(
        2, description="layer i has its points a side divided by this to the power of i (original: 2)"
    )
    multimask: bool = Field(
        True,
        description="three masks a point instead of one (original: yes); needs a SAM that learned them",
    )
    predicted_iou: Fraction = Field(
        0.8,
        description="a part's IoU as SAM predicts it is above this; 0: any (original: 0.2 to 0.95, by "
        "references)",
    )
    stability: Fraction = Field(
        0.8,
        description="IoU of a part cut at the logits 1 and -1, at least; 0: any (original: 0.2 to 0.95, by "
        "references)",
    )
    nms: Fraction = Field(
        0.7,
        description="of two parts whose boxes overlap by a larger IoU one stays (original: 0.7 to 0.9, by "
        "references)",
    )
    min_pixels: Annotated[int, Field(ge=1)] = Field(
        20, description="a part has at least so many pixels; ours (original: 200 asked for)"
    )
    inside: Fraction = Field(0.8, description="at least this share of a part lies in the brain; ours")
    max_area: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5,
        description="a part covers at most this share of the slice's brain; ours (original: 2-D only, 0.3 "
        "to 0.76 of the slice, by references)",
    )
    rank: Literal["tumour", "margin"] = Field(
        "tumour",
        description="CLIP's preference: tumour: the largest cosine with the tumour prompts (original); "
        "margin: the largest lead over the cosine with the normal prompts",
    )
    gate: bool = Field(
        True,
        description="leave slices empty that CLIP calls normal (original: those without tumour in the "
        "reference)",
    )

    @model_validator(mode="after")
    def _a_point_a_crop(self) -> SalipSettings:
        if self.points_per_side < self.downscale**self.crop_layers:
            raise ValueError(
                f"points_per_side = {self.points_per_side} leaves no point in a crop of layer "
                f"{self.crop_layers} with downscale = {self.downscale}"
            )
        return self


TINY: Mapping[str, Any] = {"points_per_side": 8, "crop_layers": 0, "multimask": False}
"""What the tiny preset changes. The bundled SAM learned one mask a prompt, so its others say nothing."""
