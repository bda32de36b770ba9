"""The layers that a report draws over a slice: where each comes from, its name, key and style."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clisc_engine.products.kinds import AMDA_MAPS, RAW_MAPS, ROUND1, ROUND2, SAM_MASKS
from clisc_engine.results.show import BOX, COLOURS, REFERENCE


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


PROMPTS = Layer("prompts", AMDA_MAPS, "prompts: box and points", "prompts", "3", BOX, "6 4", shown=True)
LAYERS = (
    Layer("cam", RAW_MAPS, "CAM", "map", "1"),
    Layer("amda", AMDA_MAPS, "CAM with AMDA", "map", "2"),
    PROMPTS,
    Layer("sam", SAM_MASKS, "SAM's mask", "mask", "4", COLOURS[SAM_MASKS], shown=True),
    Layer("round1", ROUND1, "round 1", "mask", "5", COLOURS[ROUND1], "2 3"),
    Layer("final", ROUND2, "final mask", "mask", "6", COLOURS[ROUND2], shown=True),
    Layer("reference", "reference", "reference", "mask", "7", REFERENCE, "8 3", shown=True),
)
