"""The bundled U-Net and the bundled SAM together: both know phantoms alone, and need no project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine.models.bundled_unet import bundled_segmenter
from clisc_engine.models.sam import SamModel, load_sam
from clisc_engine.models.segmenter import Segmenter
from clisc_engine.running.control import Control
from clisc_engine.running.device import pick_device
from clisc_engine.settings.presets import preset
from clisc_engine.stages.prompting.sam_masks import Prompter, SamBatchSizes


@dataclass(frozen=True)
class WithSam:
    """A U-Net whose mask prompts SAM; the two masks are united, since each misses some of a large tumour.

    Attributes:
        segmenter: the U-Net.
        sam: the model that its mask prompts.
        control: precision, device, wish to stop.
    """

    segmenter: Segmenter
    sam: SamModel
    control: Control

    def probability(self, image: npt.NDArray[Any], spacing: Sequence[float]) -> npt.NDArray[np.float32]:
        """The U-Net's tumour probability (Z, Y, X) of a normalised volume of ``spacing`` (z, y, x) mm."""
        return self.segmenter.probability(image, spacing)

    def mask(self, image: npt.NDArray[Any], spacing: Sequence[float]) -> npt.NDArray[np.uint8]:
        """Mask (Z, Y, X), 0 or 1, of a normalised volume of ``spacing`` (z, y, x) mm."""
        return self.mask_of(self.probability(image, spacing), image)

    def mask_of(
        self, probability: npt.NDArray[np.float32], image: npt.NDArray[Any]
    ) -> npt.NDArray[np.uint8]:
        """Mask (Z, Y, X), 0 or 1: the U-Net's, and what SAM answers to its boxes and points."""
        settings = preset("tiny")
        found = self.segmenter.mask_of(probability, image)
        sizes = SamBatchSizes.of(settings, self.control)
        prompter = Prompter(self.sam, image, settings, self.control, sizes, embeddings=None, seed=0)
        dilation = settings.prompts.dilation_self_training
        return found | prompter.predict_mask(found != 0, settings.prompts, dilation)


def bundled_models(control: Control) -> WithSam:
    """Both bundled models, loaded onto the chosen device."""
    sam = load_sam("tiny", "", pick_device(control.device), preset("tiny").sam.image_size)
    return WithSam(bundled_segmenter(control), sam, control)
