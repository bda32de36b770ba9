"""A trained network that takes real volumes apart: the one way from an image to its layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from clisc_engine.baselines.sim2real.brains import Array, Brain, Mask, Scale, on_grid
from clisc_engine.baselines.sim2real.network import MASK, NORMAL
from clisc_engine.models.finite import check_finite
from clisc_engine.models.unet import resized
from clisc_engine.running.control import Control
from clisc_engine.running.device import autocast, pick_device


@dataclass(frozen=True)
class Parts:
    """What the network makes of a brain, on the network's grid.

    Attributes:
        probability: (Z, Y, X) of tumour in [0, 1], 0 outside the brain.
        normal: (Z, Y, X) intensities of the normal layer; over 0 in the brain, 0 outside.
    """

    probability: Array
    normal: Array

    @property
    def mask(self) -> Mask:
        """Where tumour is more probable than not."""
        return self.probability > 0.5


@dataclass(frozen=True)
class Decomposer:
    """A network, and how brains go through it, one at a time.

    Attributes:
        module: from `build_network`, on the control's device.
        grid: voxels (Z, Y, X) of its input.
        control: device and precision.
    """

    module: nn.Module
    grid: Sequence[int]
    control: Control

    @torch.inference_mode()
    def parts(self, brain: Brain) -> Parts:
        """The layers of a brain on the network's grid.

        Raises:
            BadInput: when they are not finite.
        """
        device = pick_device(self.control.device)
        inside = brain.image != 0
        scale = Scale.of(brain.image)
        volume = torch.from_numpy(scale.apply(brain.image, inside))[None, None]
        with autocast(device, self.control.precision):
            layers = self.module(volume.to(device, memory_format=torch.channels_last_3d))
        found = layers[0].float().cpu()
        check_finite(found, "Sim2Real's network")
        probability = np.where(inside, found[MASK].sigmoid().numpy(), 0)
        normal = np.where(inside, scale.undo(found[NORMAL].numpy()), 0)
        return Parts(probability.astype(np.float32), normal.astype(np.float32))

    def probability(self, image: npt.NDArray[Any], spacing: Sequence[float]) -> Array:
        """Tumour probability (Z, Y, X) of a stored image of that spacing (z, y, x) in mm."""
        brain = on_grid(image, np.zeros(len(image), bool), spacing, self.grid)
        found = resized(self.parts(brain).probability, image.shape)
        return np.where(image != 0, found, 0).astype(np.float32)
