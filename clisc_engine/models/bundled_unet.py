"""The bundled 3-D U-Net: trained on phantoms alone, it comes with the package."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from clisc_engine.models.segmenter import Segmenter
from clisc_engine.models.unet import build_unet
from clisc_engine.models.weights import TINY_UNET, bundled, load_state
from clisc_engine.running.control import Control
from clisc_engine.settings.presets import preset


def load_bundled_unet() -> nn.Module:
    """The network of the tiny preset's shape with its weights, float32, in evaluation mode, on the CPU."""
    settings = preset("tiny").unet
    module = build_unet(settings.channels, settings.spacing)
    module.load_state_dict(load_state(bundled(TINY_UNET)))
    return module.eval()


def bundled_segmenter(control: Control) -> Segmenter:
    """The network ready to segment volumes, with the tiny preset's inference.

    Not in float16, which ends at 65504: before its last normalisations the network's values reach 400000.
    """
    if control.precision == "16":
        control = replace(control, precision="32")
    return Segmenter.of(load_bundled_unet(), preset("tiny").unet, control)
