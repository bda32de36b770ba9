"""Several CLIPs that are asked for the same slices: the mean of what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from clisc_engine.models.clip import ClipModel, load_clip


@dataclass(frozen=True)
class ClipEnsemble:
    """CLIPs with the prompts encoded by each; one alone says what it says by itself, to the bit.

    Attributes:
        members: each CLIP with its text features (2, D) of the classes normal and tumour.
    """

    members: tuple[tuple[ClipModel, Tensor], ...]

    def probabilities(self, slices: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Mean tumour probability (N,) of (N, Y, X) uint8 slices."""
        found = [clip.probabilities(slices, text) for clip, text in self.members]
        return np.mean(found, axis=0, dtype=np.float32)


def load_ensemble(
    clips: Sequence[tuple[str, str]], prompts: Mapping[str, Sequence[str]], device: torch.device
) -> ClipEnsemble:
    """Load CLIPs, each by its model and pretrained as `models.clip.load_clip` takes them.

    Args:
        clips: model and pretrained of each.
        prompts: phrasings of the classes normal and tumour, the same for all.
        device: where all of them run.

    Raises:
        MissingWeights: when the weights of one are not on this machine.
        BadInput: as `models.clip.load_clip`.
    """
    loaded = [load_clip(model, pretrained, device) for model, pretrained in clips]
    return ClipEnsemble(tuple((clip, clip.text_features(prompts)) for clip in loaded))
