"""The layers that pictures and reports draw over a slice: their names and styles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from clisc_engine.baselines.table1.rows import own_rows, title_of
from clisc_engine.products.kinds import AMDA_MAPS, RAW_MAPS, REFERENCE, ROUND1, ROUND2, SAM_MASKS
from clisc_engine.products.rivals import TABLE1_ROWS
from clisc_engine.project.project import CaseArrays, Project

HEAT_COLOURS = "inferno"
"""Matplotlib's name of the colours of a map."""


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        id: in the page, e.g. ``sam``.
        array: in the project.
        title: for people.
        kind: how it is drawn.
        key: that toggles it in the viewer.
        colour: of its outline; empty for maps.
        dash: pattern of its outline in pixels, so that colour alone need not tell layers apart.
        shown: whether the viewer begins with it.
    """

    id: str
    array: str
    title: str
    kind: Literal["map", "mask", "prompts"]
    key: str
    colour: str = ""
    dash: str = ""
    shown: bool = False


RAW_LAYER = Layer("cam", RAW_MAPS, "CAM", "map", "1")
AMDA_LAYER = Layer("amda", AMDA_MAPS, "CAM with AMDA", "map", "2")
PROMPTS_LAYER = Layer(
    "prompts", AMDA_MAPS, "prompts: box and points", "prompts", "3", "#c9d3dc", "6 4", shown=True
)
SAM_LAYER = Layer("sam", SAM_MASKS, "SAM's mask", "mask", "4", "#35b8ff", shown=True)
ROUND1_LAYER = Layer("round1", ROUND1, "round 1", "mask", "5", "#ffd23f", "2 3")
FINAL_LAYER = Layer("final", ROUND2, "final mask", "mask", "6", "#ff4f8b", shown=True)
REFERENCE_LAYER = Layer("reference", REFERENCE, "reference", "mask", "7", "#ffffff", "8 3", shown=True)

STEPS = (RAW_LAYER, AMDA_LAYER, SAM_LAYER, ROUND1_LAYER, FINAL_LAYER)
"""Those with a column of their own in a picture; the prompts are drawn in SAM's."""

RIVALS = tuple(
    Layer(
        row,
        array,
        title_of(row),
        "mask",
        "",
        "#ff4f8b" if array == ROUND2 else "#7ee081",
    )
    for row, array in TABLE1_ROWS.items()
)
"""The rows of Table 1 that every project may have, each a column of `clisc show --table1`."""


def rivals_of(project: Project, case: CaseArrays) -> tuple[Layer, ...]:
    """The rows of Table 1, and before CLISC's those that a user's own files made on a case."""
    own = own_rows(project, [case])
    added = (Layer(row, array, row, "mask", "", RIVALS[0].colour) for row, array in own.items())
    place = next(place for place, layer in enumerate(RIVALS) if layer.array == ROUND2)
    return (*RIVALS[:place], *added, *RIVALS[place:])


LAYERS = (
    RAW_LAYER,
    AMDA_LAYER,
    PROMPTS_LAYER,
    SAM_LAYER,
    ROUND1_LAYER,
    FINAL_LAYER,
    REFERENCE_LAYER,
)
"""All, as the viewer lists them. People with any colour-vision deficiency can tell their colours apart."""


def heat_alpha(heat: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """How opaque a map with values in [0, 1] is drawn over its slice; clear where it is 0."""
    return 0.75 * np.sqrt(heat)
