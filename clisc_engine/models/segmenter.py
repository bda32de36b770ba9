"""A trained U-Net that segments whole volumes: the one way from an image to a mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from clisc_engine.core.border import tumour_mask
from clisc_engine.models.finite import check_finite
from clisc_engine.models.unet import at_spacing, predict_volume, resized
from clisc_engine.running.batch_size import BatchSize
from clisc_engine.running.control import Control
from clisc_engine.running.device import pick_device
from clisc_engine.settings.schema import UnetSettings


@dataclass(frozen=True)
class Segmenter:
    """A U-Net in evaluation mode: volumes (Z, Y, X) in, probabilities or masks (Z, Y, X) out.

    Attributes:
        module: from `models.unet.build_unet`, on ``device``.
        settings: the network's grid, patch and inference.
        device: where the network is.
        windows: how many windows it gets at once; all volumes share it, so that memory runs out only once.
    """

    module: nn.Module
    settings: UnetSettings
    device: torch.device
    windows: BatchSize

    @classmethod
    def of(cls, module: nn.Module, settings: UnetSettings, control: Control) -> Segmenter:
        """The network on the device that was chosen, as it is: in training or in evaluation mode."""
        device = pick_device(control.device)
        windows = BatchSize(settings.batch_size, "windows", control)
        return cls(module.to(device), settings, device, windows)

    def probability(self, image: npt.NDArray[Any], spacing: Sequence[float]) -> npt.NDArray[np.float32]:
        """Tumour probability (Z, Y, X) in [0, 1] of a normalised volume of ``spacing`` (z, y, x) mm.

        Raises:
            BadInput: when the network's output is not finite, which would else pass for no tumour.
            Stopped: when asked to stop; looked at before each batch of windows.
        """
        settings = self.settings
        seen = at_spacing(image, spacing, settings.spacing)

        def predict_with(size: int) -> npt.NDArray[np.float32]:
            return predict_volume(
                self.module,
                seen,
                tuple(settings.patch),
                mode=settings.inference,
                overlap=settings.overlap,
                batch_size=size,
                device=self.device,
                precision=self.windows.control.precision,
            )

        with self.module.register_forward_pre_hook(lambda *_: self.windows.control.check_stop()):
            found = self.windows.attempt(predict_with)
        check_finite(found, "The U-Net")
        return resized(found, image.shape)

    def mask(self, image: npt.NDArray[Any], spacing: Sequence[float]) -> npt.NDArray[np.uint8]:
        """Mask (Z, Y, X), 0 or 1, of a normalised volume of ``spacing`` (z, y, x) mm."""
        return self.mask_of(self.probability(image, spacing), image, spacing)

    def mask_of(
        self, probability: npt.NDArray[np.float32], image: npt.NDArray[Any], spacing: Sequence[float]
    ) -> npt.NDArray[np.uint8]:
        """Mask (Z, Y, X), 0 or 1, of a probability: above 0.5 inside the brain (where ``image`` is not 0).

        Its border and components are those that the settings ask for.
        """
        return tumour_mask(
            probability,
            image,
            spacing,
            border=self.settings.border,
            largest_alone=self.settings.largest_component,
            rival_share=self.settings.rival_share,
        )
