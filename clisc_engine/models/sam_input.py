"""Which sides SAM's input may have; told without loading it."""

from __future__ import annotations

import json

from clisc_engine.errors import BadInput
from clisc_engine.models.weights import bundled
from clisc_engine.settings.schema import TINY, Settings

PUBLISHED = (1024, 16)
"""Side of the input and of its patches in pixels, of every SAM that was published."""


def check_sam_input(settings: Settings) -> None:
    """Refuse a side that the settings' SAM cannot take.

    Raises:
        BadInput: naming those that it can.
    """
    side, patch = _of_tiny() if settings.sam.model == TINY else PUBLISHED
    if settings.sam.image_size:
        check_side(settings.sam.image_size, side, patch)


def check_side(size: int, side: int, patch: int) -> None:
    """Refuse a side of an input that is no multiple of SAM's patches, or larger than its own.

    Raises:
        BadInput: naming those that it can be.
    """
    if size % patch or size > side:
        raise BadInput(
            f"sam.image_size is {size}; this SAM takes multiples of {patch} up to {side}, or 0 for its own."
        )


def _of_tiny() -> tuple[int, int]:
    described = json.loads(bundled("tiny_sam.json").read_text(encoding="utf-8"))
    return described["image_size"], described["patch_size"]
