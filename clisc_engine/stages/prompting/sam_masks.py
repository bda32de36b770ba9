"""SAM's answer to the prompts of a region of interest, slice by slice (paper eq. (3))."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from clisc_engine.core.filtering import dice
from clisc_engine.core.prompts import Prompt, roi_prompts
from clisc_engine.core.roi import cam_roi, opening_shape, otsu_threshold
from clisc_engine.imaging.window import equalise
from clisc_engine.models.sam import SamModel
from clisc_engine.project.embedding_cache import EmbeddingCache
from clisc_engine.running.batch_size import BatchSize
from clisc_engine.running.control import Control
from clisc_engine.running.device import autocast, pick_device
from clisc_engine.settings.schema import PromptSettings, RoiSettings, Settings
from clisc_engine.stages.classifier.slices import windowed

Mask = npt.NDArray[np.bool_]
THRESHOLDS = tuple(round(0.1 * step, 1) for step in range(1, 9))
"""Tried by ``roi.threshold = "sam"``."""


@dataclass(frozen=True)
class SamSizes:
    """How many slices SAM encodes, and how many prompts it answers, at once."""

    slices: BatchSize
    prompts: BatchSize

    @classmethod
    def of(cls, settings: Settings, control: Control) -> SamSizes:
        """Those of this call; all its cases share them."""
        alone = pick_device(control.device).type == "cpu"  # and a wish to stop is heard between slices
        slices = 1 if alone else control.batch_size or settings.sam.batch_size
        prompts = control.batch_size or 64
        return cls(BatchSize(slices, "slices", control), BatchSize(prompts, "prompts", control))


@dataclass
class Prompter:
    """Prompts SAM on the slices of one volume; a slice is encoded at most once.

    Attributes:
        sam: the model.
        image: (Z, Y, X) stored image, background 0.
        settings: the project's settings.
        control: precision and device.
        sizes: how many slices and prompts SAM gets at once.
        kept: where embeddings are kept between runs.
        case: the volume's name there.
        key: stands for all that makes the volume's embeddings.
        seed: of the draw of bright foreground points.
    """

    sam: SamModel
    image: npt.NDArray[np.floating]
    settings: Settings
    control: Control
    sizes: SamSizes
    kept: EmbeddingCache
    case: str
    key: str
    seed: int

    def __post_init__(self) -> None:
        """Window the slices; nothing is encoded yet."""
        self._slices = windowed(self.image, self.settings.window)
        self._embeddings: dict[int, npt.NDArray[np.float16]] = {}

    def answer(self, roi: Mask, prompts: PromptSettings, dilation: int) -> npt.NDArray[np.uint8]:
        """SAM's (Z, Y, X) mask for a region of interest; slices without region stay empty."""
        asked = [
            (z, prompt)
            for z in np.flatnonzero(roi.any(axis=(1, 2))).tolist()
            for prompt in slice_prompts(roi[z], self._slices[z], prompts, dilation, (self.seed, z))
        ]
        mask = np.zeros(roi.shape, bool)
        self._encode(sorted({z for z, _ in asked}))

        def decode(part: slice) -> None:
            found = self._decode(asked[part], roi.shape[1:])
            for (z, _), answer in zip(asked[part], found, strict=True):
                mask[z] |= answer

        self.sizes.prompts.run(len(asked), decode)
        if self.settings.sam.inside_brain:
            mask &= self.image != 0
        return mask.astype(np.uint8)

    def _encode(self, wanted: list[int]) -> None:
        lacking = [z for z in wanted if z not in self._embeddings]
        known = self.kept.load(self.case, self.key, lacking)
        self._embeddings |= known
        new = [z for z in lacking if z not in known]

        def encode(part: slice) -> None:
            slices = self._slices[new[part]]
            if self.settings.sam.equalise:
                slices = np.stack([equalise(s) for s in slices])
            with torch.inference_mode(), self._autocast():
                found = self.sam.encode(slices)
            self._embeddings.update(zip(new[part], found, strict=True))

        self.sizes.slices.run(len(new), encode)
        self.kept.keep(self.case, self.key, {z: self._embeddings[z] for z in new})

    def _decode(self, batch: list[tuple[int, Prompt]], shape: tuple[int, ...]) -> Mask:
        with torch.inference_mode(), self._autocast():
            embeddings = np.stack([self._embeddings[z] for z, _ in batch])
            return self.sam.decode(embeddings, [prompt for _, prompt in batch], shape)

    def _autocast(self) -> torch.autocast:
        return autocast(pick_device(self.control.device), self.control.precision)


def slice_prompts(
    roi: Mask,
    slice_: npt.NDArray[np.uint8],
    prompts: PromptSettings,
    dilation: int,
    seed: tuple[int, int],
) -> list[Prompt]:
    """The prompts of one (Y, X) slice of a region; ``seed`` is the case's and the slice's number."""
    return roi_prompts(
        roi,
        slice_,
        kind=prompts.kind,
        foreground=prompts.foreground,
        dilation=dilation,
        per_component=prompts.per_component,
        rng=np.random.default_rng(seed),
    )


def without_sam(roi: RoiSettings) -> RoiSettings:
    """The same, with Otsu's threshold in the place of the one that only SAM's answers can choose."""
    return roi.model_copy(update={"threshold": "otsu"}) if roi.threshold == "sam" else roi


def region_of_interest(
    cam: npt.NDArray[np.uint8],
    brain: Mask,
    spacing: tuple[float, float, float],
    roi: RoiSettings,
    answer: Callable[[Mask], npt.NDArray[np.uint8]] | None = None,
) -> Mask:
    """The (Z, Y, X) region that a class activation map marks, without any label.

    Args:
        cam: (Z, Y, X) uint8, 255 standing for 1.
        brain: (Z, Y, X) brain voxels.
        spacing: (z, y, x) in mm; thick slices are opened in plane only.
        roi: threshold and morphology.
        answer: SAM's answer to a region, needed for ``roi.threshold = "sam"``.

    Raises:
        ValueError: when that is lacking; `without_sam` gives settings that need none.
    """
    shape = opening_shape(cam.shape, spacing) if roi.opening else None
    scaled = cam / np.float32(255)

    def region(threshold: float) -> Mask:
        return cam_roi(scaled, threshold, opening=shape, keep=roi.keep_fraction)

    if roi.threshold == "otsu":
        mapped = brain & scaled.any(axis=(1, 2))[:, None, None]
        return region(otsu_threshold(scaled[mapped])) if mapped.any() else np.zeros(cam.shape, bool)
    if roi.threshold == "sam":
        if answer is None:
            raise ValueError('roi.threshold = "sam" needs SAM\'s answer')
        regions = [region(threshold) for threshold in THRESHOLDS]
        return max(regions, key=lambda r: dice(answer(r), r) if r.any() else -1.0)
    return region(float(roi.threshold))
