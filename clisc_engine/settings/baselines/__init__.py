"""Settings of the rivals of the paper's Table 1: what they share, and a module for each method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from clisc_engine.settings.baselines.amcons import TINY as TINY_AMCONS
from clisc_engine.settings.baselines.amcons import AmconsSettings
from clisc_engine.settings.baselines.gradcamcons import TINY as TINY_GRADCAMCONS
from clisc_engine.settings.baselines.gradcamcons import GradcamconsSettings
from clisc_engine.settings.baselines.if3d import TINY as TINY_IF3D
from clisc_engine.settings.baselines.if3d import If3dSettings
from clisc_engine.settings.baselines.salip import TINY as TINY_SALIP
from clisc_engine.settings.baselines.salip import SalipSettings
from clisc_engine.settings.baselines.sim2real import TINY as TINY_SIM2REAL
from clisc_engine.settings.baselines.sim2real import Sim2RealSettings
from clisc_engine.settings.section import Percent, Section, Text


class BaselineSettings(Section):
    """What the rivals of Table 1 share (`baseline`): normal slices, and the threshold of a map."""

    normal: Literal["clip", "cases", "reference"] = Field(
        "clip",
        description="normal images of the methods that learn from them: slices that CLIP calls normal; all "
        "slices of normal_cases (3D IF, Sim2Real: external healthy volumes); or slices whose reference is "
        "empty (AMCons, GradCAMCons: so), which is not label-free",
    )
    normal_cases: list[Text] = Field(
        [], description='train cases without a tumour, with normal = "cases"; at least two'
    )
    min_area: Annotated[float, Field(ge=0, le=1)] = Field(
        0.3,
        description="a normal slice has at least this share of the volume's largest brain area; ours, so "
        "that the vertex does not define what is normal in the middle",
    )
    min_slices: Annotated[int, Field(ge=1)] = Field(
        50, description="refuse to learn what is normal from fewer slices; ours"
    )
    held_out: Annotated[float, Field(gt=0, le=0.5)] = Field(
        0.1,
        description="share of the train cases that no anomaly method learns from; they give its threshold",
    )
    threshold: Literal["normal", "agree", "otsu"] | Annotated[float, Field(gt=0)] = Field(
        "normal",
        description="a map's threshold: normal: a percentile over the held-out cases' normal slices; "
        "agree: where held-out slices with 20 mm2 over it agree best with CLIP's labels; otsu: each "
        "volume's own; or a value (originals: chosen on references)",
    )
    percentile: Percent = Field(
        99.0,
        description='percentile of the normal brain voxels, with threshold = "normal" (AMCons: 99, off)',
    )
    gate: bool = Field(False, description="leave slices empty that CLIP calls normal (originals: no)")
    salip: SalipSettings = SalipSettings()
    amcons: AmconsSettings = AmconsSettings()
    gradcamcons: GradcamconsSettings = GradcamconsSettings()
    if3d: If3dSettings = If3dSettings()
    sim2real: Sim2RealSettings = Sim2RealSettings()


TINY: Mapping[str, Any] = {
    "salip": TINY_SALIP,
    "amcons": TINY_AMCONS,
    "gradcamcons": TINY_GRADCAMCONS,
    "if3d": TINY_IF3D,
    "sim2real": TINY_SIM2REAL,
}
"""What the tiny preset changes."""


def with_tiny(given: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a tiny project, those that it lacks filled in: it may be older than the rivals."""
    filled: dict[str, Any] = {**TINY, **given}
    for name, values in TINY.items():
        if isinstance(values, Mapping) and isinstance(filled[name], Mapping):
            filled[name] = {**values, **filled[name]}
    return filled
