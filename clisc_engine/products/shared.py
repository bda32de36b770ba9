"""What the products of the method and of its rivals have in common."""

from __future__ import annotations

from clisc_engine.products.kinds import IMAGE, Array, Cases, Command

BINARY = (0, 1)
INFERENCE = (
    "unet.inference",
    "unet.overlap",
    "unet.border",
    "unet.largest_component",
    "unet.rival_share",
    "unet.ask_sam",
)
"""Settings of a U-Net that change its predictions alone, not its training."""
UNET = ("unet", "seed")
"""Settings that a U-Net is trained and predicts by."""
SAM = ("sam.model", "sam.image_size", "sam.equalise", "sam.inside_brain", "window", "seed")
"""Settings that SAM answers a prompt by."""
PROMPTED = ("prompts.per_component", "prompts.foreground", "sam.mirror", "sam.border", *SAM)
"""Settings that SAM is prompted with a region by, but for the kind of prompts and the boxes' dilation."""

ASKED = ("prompts.kind", "prompts.dilation_self_training", *PROMPTED)
"""Settings that SAM is prompted with a prediction by."""


def prediction(name: str, command: Command, network: str, cases: Cases, meaning: str) -> Array:
    """The masks that a U-Net predicts."""
    return Array(
        name=name,
        command=command,
        meaning=meaning,
        inputs=(IMAGE,),
        settings=INFERENCE,
        values=BINARY,
        network=network,
        cases=cases,
    )
