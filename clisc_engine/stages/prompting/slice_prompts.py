"""The prompts of a region's slice by the settings; those who only draw them load no SAM."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clisc_engine.core.prompts import Prompt, roi_prompts
from clisc_engine.settings.schema import PromptSettings

Mask = npt.NDArray[np.bool_]


def slice_prompts(
    roi: Mask,
    slice_: npt.NDArray[np.uint8],
    prompts: PromptSettings,
    dilation: int,
    seed: tuple[int, int],
) -> list[Prompt]:
    """The prompts of one (Y, X) slice of a region; ``seed`` is the case's and the slice's number."""
    return roi_prompts(
        roi,
        slice_,
        kind=prompts.kind,
        foreground=prompts.foreground,
        dilation=dilation,
        per_component=prompts.per_component,
        rng=np.random.default_rng(seed),
    )
