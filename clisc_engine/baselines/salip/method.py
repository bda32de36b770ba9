"""SaLIP: SAM's parts of a slice, the one that CLIP prefers, and SAM's answer to its box.

Source: Aleem et al., "Test-time adaptation with SaLIP", CVPR workshops 2024, arXiv 2404.06362. The
original tunes SAM's settings on references and runs on slices with a tumour in the reference; here settings
are fixed and CLIP's labels choose the slices, so that no reference is read (ours).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from torch import Tensor

from clisc_engine.baselines.salip import choice
from clisc_engine.baselines.salip.everything import find_parts
from clisc_engine.core.brain import brain_of
from clisc_engine.core.labelling import NORMAL
from clisc_engine.imaging.window import Slices
from clisc_engine.models.clip import ClipModel
from clisc_engine.models.clip_ensemble import load_ensemble
from clisc_engine.models.finite import check_finite
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.batch_size import BatchSize
from clisc_engine.running.control import Control
from clisc_engine.running.device import autocast, pick_device
from clisc_engine.settings.schema import PromptSettings
from clisc_engine.stages.prompting.sam_masks import Prompter, open_sam

SECOND_PROMPT = PromptSettings(kind="box", per_component=False)
"""The chosen part's box and no points (original)."""

DILATION = 0


class SalipMasks:
    """SaLIP's mask of one case after the other; nothing is trained."""

    def __init__(self, project: Project, control: Control) -> None:
        """Load nothing yet."""
        self.project, self.control = project, control
        self.settings = project.settings.baselines.salip
        self.device = pick_device(control.device)

    def load(self) -> None:
        """Load SAM and CLIP, and encode the prompts of step 1."""
        asked = self.project.settings.label
        self.sam = open_sam(self.project, self.control).one_way()
        prompts = {"normal": asked.normal_prompts, "tumour": asked.tumour_prompts}
        self.clips = load_ensemble(asked.clips(), prompts, self.device)
        self.batch = BatchSize(self.control.batch_size or 32, "parts", self.control)

    def mask(
        self,
        image: npt.NDArray[np.floating],
        labels: npt.NDArray[np.uint8],
        _spacing: Sequence[float],
        case: CaseArrays,
    ) -> npt.NDArray[np.uint8]:
        """The mask (Z, Y, X), 0 or 1, of a stored image (Z, Y, X).

        Args:
            image: z-scored, background exactly 0.
            labels: (Z,) CLIP's labels of the slices.
            _spacing: not looked at: SaLIP works slice by slice and counts pixels.
            case: whose image it is; finds its embeddings.
        """
        prompter = self.sam.prompter(case, image)
        region = np.zeros(image.shape, bool)
        shown = np.any(brain_of(image), axis=(1, 2))
        if self.settings.gate:
            shown &= labels != NORMAL
        prompter.embed(np.flatnonzero(shown).tolist())
        for z in np.flatnonzero(shown).tolist():
            masks = self._parts(prompter, z)
            if len(masks):
                region[z] = masks[self._preferred(prompter.slices[z], masks)]
        return prompter.predict_mask(region, SECOND_PROMPT, DILATION)

    def _parts(self, prompter: Prompter, z: int) -> choice.Masks:
        """The plausible parts (N, Y, X) of a slice."""
        with prompter.arithmetic():
            found = find_parts(
                self.sam.sam,
                prompter.seen([z])[0],
                prompter.embed([z])[0],
                self.sam.sam.encode,
                self.settings,
                self.sam.sizes.prompts,
            )
        kept = choice.plausible(
            found,
            prompter.image[z] != 0,
            min_pixels=self.settings.min_pixels,
            inside=self.settings.inside,
            max_area=self.settings.max_area,
        )
        return choice.in_order(found[kept])

    def _preferred(self, slice_: Slices, masks: choice.Masks) -> int:
        """The part that CLIP prefers; it sees them on the slice (Y, X) as step 1 shows it."""
        cosines = np.zeros((len(self.clips.members), len(masks), 2), np.float32)
        for number, (clip, text) in enumerate(self.clips.members):
            shown = choice.crops(slice_, masks, clip.image_size)
            self.batch.run(len(masks), self._asker(clip, text, shown, cosines[number]))
        return choice.best(cosines.mean(axis=0), self.settings.rank)

    def _asker(
        self, clip: ClipModel, text: Tensor, shown: Slices, cosines: npt.NDArray[np.float32]
    ) -> Callable[[slice], None]:
        """Writes the cosines (N, 2) of a part of the crops (N, S, S)."""

        def ask_clip(part: slice) -> None:
            with autocast(self.device, self.control.precision):
                cosines[part] = clip.cosines(shown[part], text)
            check_finite(cosines[part], "CLIP")

        return ask_clip
