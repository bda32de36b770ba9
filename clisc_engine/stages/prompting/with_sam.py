"""A U-Net and SAM together: the network says where, SAM and brightness say how far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine.core.border import tumour_mask
from clisc_engine.core.reach import reach
from clisc_engine.models.bundled_unet import bundled_segmenter
from clisc_engine.models.sam import SamModel, load_sam
from clisc_engine.models.segmenter import Segmenter
from clisc_engine.running.control import Control
from clisc_engine.running.device import pick_device
from clisc_engine.settings.presets import preset
from clisc_engine.settings.schema import Settings, UnetSettings
from clisc_engine.stages.prompting.sam_masks import Prompter, SamBatchSizes

SEED = 0
"""Of the bright points that prompt SAM (``prompts.foreground``), whether a volume is a case or a file."""


@dataclass(frozen=True)
class WithSam:
    """A U-Net whose mask prompts SAM; what it marks beyond SAM's answer counts where it is bright enough.

    Attributes:
        segmenter: the U-Net.
        sam: the model that its mask prompts.
        settings: how the mask prompts it.
        control: precision, device, wish to stop.
        sizes: how many slices and prompts SAM gets at once; all volumes share them.
    """

    segmenter: Segmenter
    sam: SamModel
    settings: Settings
    control: Control
    sizes: SamBatchSizes

    def probability(self, image: npt.NDArray[Any], spacing: Sequence[float]) -> npt.NDArray[np.float32]:
        """The U-Net's tumour probability (Z, Y, X) of a normalised volume of ``spacing`` (z, y, x) mm."""
        return self.segmenter.probability(image, spacing)

    def mask(self, image: npt.NDArray[Any], spacing: Sequence[float]) -> npt.NDArray[np.uint8]:
        """Mask (Z, Y, X), 0 or 1, of a normalised volume of ``spacing`` (z, y, x) mm."""
        return self.mask_of(self.probability(image, spacing), image, spacing)

    def mask_of(
        self, probability: npt.NDArray[np.float32], image: npt.NDArray[Any], spacing: Sequence[float]
    ) -> npt.NDArray[np.uint8]:
        """Mask (Z, Y, X), 0 or 1: SAM's answer to the U-Net's, and what that one has beyond."""
        prompter = Prompter(
            self.sam, image, spacing, self.settings, self.control, self.sizes, embeddings=None, seed=SEED
        )
        return asked(prompter, probability, self.segmenter.settings)


def asked(
    prompter: Prompter, probability: npt.NDArray[np.float32], settings: UnetSettings
) -> npt.NDArray[np.uint8]:
    """Mask (Z, Y, X), 0 or 1: SAM's answer to a network's, and what that one has beyond.

    Args:
        prompter: of the volume.
        probability: (Z, Y, X), the network's.
        settings: the network's, which say whether one component of what it marks is asked for, and which.
    """
    image, prompts = prompter.image, prompter.settings.prompts
    found = tumour_mask(
        probability,
        image,
        prompter.spacing,
        border=0,
        largest_alone=settings.largest_component,
        rival_share=settings.rival_share,
    )
    answer = prompter.predict_mask(found != 0, prompts, prompts.dilation_self_training)
    return prompter.bordered(answer | reach(answer != 0, np.where(found, probability, 0), image))


def bundled_models(control: Control) -> WithSam:
    """Both bundled models, which know phantoms alone and need no project, loaded onto the chosen device."""
    settings = preset("tiny")
    sam = load_sam("tiny", "", pick_device(control.device), settings.sam.image_size)
    sizes = SamBatchSizes.of(settings, control)
    return WithSam(bundled_segmenter(control), sam, settings, control, sizes)
