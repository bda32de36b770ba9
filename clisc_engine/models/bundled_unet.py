"""The bundled 3-D U-Net: trained on phantoms alone, it comes with the package."""

from __future__ import annotations

from torch import nn

from clisc_engine.errors import BadInput
from clisc_engine.models.unet import build_unet
from clisc_engine.models.weights import TINY_UNET, bundled, load_state
from clisc_engine.settings.presets import preset
from clisc_engine.settings.schema import UnetSettings


def load_bundled_unet() -> nn.Module:
    """The network of the tiny preset's shape with its weights, float32, in evaluation mode, on the CPU."""
    settings = preset("tiny").unet
    module = build_unet(settings.channels, settings.spacing)
    module.load_state_dict(load_state(bundled(TINY_UNET)))
    return module.eval()


def check_same_shape(settings: UnetSettings) -> None:
    """Refuse settings of a network that could not start from the bundled one.

    Raises:
        BadInput: naming the settings that differ.
    """
    own = preset("tiny").unet
    if (settings.channels, settings.spacing) != (own.channels, own.spacing):
        raise BadInput(
            f"unet.start = 'bundled' needs the bundled network's unet.channels {own.channels} and "
            f"unet.spacing {own.spacing}; give these, or unet.start=scratch."
        )
