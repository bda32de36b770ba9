"""SAM's masks for the prompts of a region of interest, slice by slice (paper eq. (3))."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from clisc_engine.core.border import by_brightness
from clisc_engine.core.brain import brain_of
from clisc_engine.core.prompts import Prompt
from clisc_engine.core.seeds import case_seed
from clisc_engine.imaging.window import equalise
from clisc_engine.models.sam import Embeddings, SamModel, load_sam
from clisc_engine.products.kinds import IMAGE
from clisc_engine.project.embedding_cache import EmbeddingCache
from clisc_engine.project.fingerprint import fingerprint, settings_used
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.batch_size import BatchSize
from clisc_engine.running.control import Control
from clisc_engine.running.device import autocast, pick_device
from clisc_engine.settings.schema import PromptSettings, Settings
from clisc_engine.stages.classifier.slices import windowed
from clisc_engine.stages.prompting.encoded_slices import CaseEmbeddings, EncodedSlices
from clisc_engine.stages.prompting.slice_prompts import slice_prompts

Mask = npt.NDArray[np.bool_]


def open_sam(project: Project, control: Control) -> ProjectSam:
    """Load the project's SAM onto the chosen device, for all cases of a run."""
    settings, chosen = project.settings, project.settings.sam
    device = pick_device(control.device)
    sam = load_sam(chosen.model, chosen.checkpoint, device, chosen.image_size)
    folder = project.cache / "embeddings"
    cache = EmbeddingCache(folder, int(chosen.cache_gb * 1e9), control.progress.say)
    provenance = {
        **settings_used(settings, "window", "sam.equalise", "sam.image_size"),
        "sam": sam.digest,
        "arithmetic": f"{device.type} {control.precision}",
        **({} if sam.feed == "sam" else {"feed": sam.feed}),
    }
    return ProjectSam(sam, settings, control, SamBatchSizes.of(settings, control), cache, provenance)


@dataclass(frozen=True)
class ProjectSam:
    """A project's SAM, loaded; what all cases of a run share.

    Attributes:
        sam: the model, on its device.
        settings: the project's settings.
        control: precision and device.
        sizes: how many slices and prompts SAM gets at once.
        cache: keeps embeddings between runs.
        provenance: all that makes a slice's embedding, but for the image.
    """

    sam: SamModel
    settings: Settings
    control: Control
    sizes: SamBatchSizes
    cache: EmbeddingCache
    provenance: dict[str, str]

    def one_way(self) -> ProjectSam:
        """The same, that is asked about no mirrored slice, whatever `sam.mirror` says."""
        sam = self.settings.sam.model_copy(update={"mirror": False})
        return replace(self, settings=self.settings.model_copy(update={"sam": sam}))

    def prompter(self, case: CaseArrays, image: npt.NDArray[Any], *, seed: int | None = None) -> Prompter:
        """The prompter of a case with its stored image (Z, Y, X); None draws by the case's own seed."""
        seal = case.seal(IMAGE)
        made_from = {**self.provenance, "image": seal.fingerprint if seal else ""}

        def kept(**also: str) -> CaseEmbeddings:
            return CaseEmbeddings(self.cache, case.info.identity, fingerprint(made_from | also))

        if seed is None:
            seed = case_seed(self.settings.seed, case.info.identity)
        embeddings = kept(), kept(mirrored="left-right")
        return Prompter(
            self.sam, image, case.info.spacing, self.settings, self.control, self.sizes, embeddings, seed
        )


@dataclass(frozen=True)
class SamBatchSizes:
    """How many slices SAM encodes, and how many prompts it decodes, at once."""

    slices: BatchSize
    prompts: BatchSize

    @classmethod
    def of(cls, settings: Settings, control: Control) -> SamBatchSizes:
        """Those of this call; all its cases share them."""
        on_cpu = pick_device(control.device).type == "cpu"  # slice by slice, to stop between two of them
        slices = 1 if on_cpu else control.batch_size or settings.sam.batch_size
        prompts = control.batch_size or 64
        return cls(BatchSize(slices, "slices", control), BatchSize(prompts, "prompts", control))


@dataclass
class Prompter:
    """Prompts SAM on the slices of one volume; a slice is encoded at most once.

    Attributes:
        sam: the model.
        image: (Z, Y, X) stored image, background 0.
        spacing: its (z, y, x) in mm.
        settings: the project's settings.
        control: precision and device.
        sizes: how many slices and prompts SAM gets at once.
        embeddings: where the volume's are kept between runs, and those of its slices mirrored; None
            keeps none.
        seed: of the draw of bright foreground points.
        slices: (Z, Y, X) uint8, windowed.
    """

    sam: SamModel
    image: npt.NDArray[np.floating]
    spacing: Sequence[float]
    settings: Settings
    control: Control
    sizes: SamBatchSizes
    embeddings: tuple[CaseEmbeddings, CaseEmbeddings] | None
    seed: int

    def __post_init__(self) -> None:
        """Window the slices; nothing is encoded yet."""
        self.slices = windowed(self.image, self.settings.window)
        kept, kept_mirrored = self.embeddings or (None, None)
        self._encoded = EncodedSlices(self._encode, self.sizes.slices, kept)
        self._mirrored = EncodedSlices(
            partial(self._encode, mirrored=True), self.sizes.slices, kept_mirrored
        )

    def predict_mask(self, roi: Mask, prompts: PromptSettings, dilation: int) -> npt.NDArray[np.uint8]:
        """SAM's mask (Z, Y, X), 0 or 1, for a region of interest; slices without region stay empty.

        Args:
            roi: (Z, Y, X) region, on the image's grid.
            prompts: which prompts are made from the region of each slice.
            dilation: pixels by which the box grows on each side.
        """
        asked = [
            (z, prompt)
            for z in np.flatnonzero(roi.any(axis=(1, 2))).tolist()
            for prompt in slice_prompts(roi[z], self.slices[z], prompts, dilation, (self.seed, z))
        ]
        mask = np.zeros(roi.shape, bool)
        for view in self._views():
            view.of([z for z, _ in asked])

        def decode(part: slice) -> None:
            found = self._decode(asked[part], roi.shape[1:])
            for (z, _), slice_mask in zip(asked[part], found, strict=True):
                mask[z] |= slice_mask

        self.sizes.prompts.run(len(asked), decode)
        if self.settings.sam.inside_brain:
            mask &= brain_of(self.image)
        return mask.astype(np.uint8)

    def bordered(self, mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """A mask (Z, Y, X), 0 or 1, with its border where brightness says, by `sam.border`."""
        return by_brightness(mask != 0, self.image, self.spacing, self.settings.sam.border).astype(np.uint8)

    def embed(self, wanted: list[int]) -> list[npt.NDArray[np.float16]]:
        """The embeddings (C, h, w) of these slices."""
        return self._encoded.of(wanted)

    def seen(self, wanted: list[int]) -> npt.NDArray[np.uint8]:
        """These slices (N, Y, X) as SAM sees them."""
        slices = self.slices[wanted]
        return np.stack([equalise(s) for s in slices]) if self.settings.sam.equalise else slices

    def arithmetic(self) -> torch.autocast:
        """The context in which SAM works, with the run's precision."""
        return autocast(pick_device(self.control.device), self.control.precision)

    def _encode(self, wanted: list[int], *, mirrored: bool = False) -> Embeddings:
        seen = self.seen(wanted)
        with torch.inference_mode(), self.arithmetic():
            return self.sam.encode(seen[:, :, ::-1] if mirrored else seen)

    def _views(self) -> list[EncodedSlices]:
        """The slices, and with `sam.mirror` the mirrored ones."""
        return [self._encoded, self._mirrored] if self.settings.sam.mirror else [self._encoded]

    def _decode(self, batch: list[tuple[int, Prompt]], shape: tuple[int, int]) -> Mask:
        """SAM's masks (B, Y, X) for prompts, each with its slice's number; ``shape`` is (Y, X)."""
        numbers, prompts = [z for z, _ in batch], [prompt for _, prompt in batch]
        views = [np.stack(view.of(numbers)) for view in self._views()]
        with self.arithmetic():
            return self.sam.decode(views[0], prompts, shape, *views[1:])
