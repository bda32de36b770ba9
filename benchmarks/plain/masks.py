"""SAM through upstream's predictor: each slice is encoded when it is prompted, and forgotten."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from segment_anything import SamPredictor

from benchmarks.plain.networks import bundled_probability
from benchmarks.plain.study import Array, Study
from benchmarks.sam import upstream_logits
from clisc_engine.core.border import by_brightness
from clisc_engine.core.filtering import s3f_keep, s3f_similarity
from clisc_engine.core.labelling import TUMOUR
from clisc_engine.core.reach import reach
from clisc_engine.core.roi import joined
from clisc_engine.core.seeds import case_seed
from clisc_engine.imaging.window import equalise
from clisc_engine.models.sam import load_sam
from clisc_engine.stages.prompting.regions import region_of_interest
from clisc_engine.stages.prompting.slice_prompts import slice_prompts

Mask = npt.NDArray[np.bool_]
SPACING = (1.0, 1.0, 1.0)


def prompt_with_maps(study: Study) -> None:
    """Step 4: the maps' regions prompt SAM; with the bundled network's marks if the settings say so."""
    prompts = study.settings.prompts
    answer = _asker(study)
    for name in study.names:
        image, maps = study.read(name, "image"), study.read(name, "cam-amda")
        region = region_of_interest(maps, image != 0, SPACING, study.settings.roi)
        probability = np.zeros(image.shape, np.float32)
        if prompts.region == "map+bundled":
            probability = bundled_probability(image)
            region = joined(region, (probability > 0.5) & (image != 0))
        mask = answer(name, image, region, prompts.dilation)
        whole = mask | reach(mask, np.where(region, probability, 0), image)
        study.write(name, "sam", _bordered(study, image, whole))


def prompt_with_predictions(study: Study) -> None:
    """SAM's answer to round 1's masks, encoded anew."""
    answer = _asker(study)
    for name in study.names:
        image, region = study.read(name, "image"), study.read(name, "round1") != 0
        dilation = study.settings.prompts.dilation_self_training
        study.write(name, "sam-round1", _bordered(study, image, answer(name, image, region, dilation)))


def kept(study: Study) -> list[str]:
    """The cases that S3F keeps."""
    scores = {
        name: s3f_similarity(
            study.read(name, "round1"),
            study.read(name, "sam-round1"),
            ill=bool((study.labels(name) == TUMOUR).any()),
        )
        for name in study.names
    }
    chosen = s3f_keep(scores, study.settings.s3f.p)
    return [name for name in study.names if name in chosen]


def _bordered(study: Study, image: Array, mask: Mask) -> npt.NDArray[np.uint8]:
    """A mask of SAM's with the border that the settings ask for."""
    return by_brightness(mask, image, SPACING, study.settings.sam.border).astype(np.uint8)


def _asker(study: Study) -> Callable[[str, Array, Mask, int], Mask]:
    """From a case, its image and region (Z, Y, X) and the boxes' growth to SAM's mask (Z, Y, X)."""
    settings = study.settings
    sam = load_sam(settings.sam.model, settings.sam.checkpoint, torch.device("cpu"))
    predictor = SamPredictor(sam.network)

    def answer(name: str, image: Array, region: Mask, dilation: int) -> Mask:
        slices, mask = study.slices(name), np.zeros(region.shape, bool)
        seed = case_seed(settings.seed, name)
        for z in np.flatnonzero(region.any(axis=(1, 2))).tolist():
            shown = equalise(slices[z]) if settings.sam.equalise else slices[z]
            for prompt in slice_prompts(region[z], slices[z], settings.prompts, dilation, (seed, z)):
                logits = upstream_logits(predictor, shown, prompt)
                if settings.sam.mirror:
                    other = upstream_logits(predictor, shown[:, ::-1], prompt.mirrored(shown.shape[1]))
                    logits = (logits + other[:, ::-1]) / np.float32(2)
                mask[z] |= logits > sam.network.mask_threshold
        inside: Mask = mask & (image != 0)
        return inside

    return answer
