"""How far a volume's mask may be trusted, told without a label by what the method's own steps agree on.

S3F takes the agreement of SAM and the network for quality (paper section 2.3). Here more pairs of steps are
asked, and a line fitted on volumes with references says which DSC such agreement went along with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clisc_engine.core.labelling import TUMOUR, UNCERTAIN
from clisc_engine.core.overlap import dice

Mask = npt.NDArray[np.bool_]


def agreements(
    final: Mask, pseudo_label: Mask, round1: Mask, region: Mask, labels: npt.NDArray[np.uint8]
) -> dict[str, float]:
    """How far the final mask agrees with what the steps before it found, each in [0, 1].

    Two masks that are both empty agree only where CLIP labels no slice tumour: otherwise CLIP
    contradicts them, and they count 0, as in `core.filtering.s3f_similarity`.

    Args:
        final: (Z, Y, X) the network's mask after self-training.
        pseudo_label: (Z, Y, X) SAM's answer to prompts from the map.
        round1: (Z, Y, X) the network's mask before self-training.
        region: (Z, Y, X) what the map marks.
        labels: (Z,) CLIP's labels: 0 normal, 1 tumour, 255 uncertain.

    Returns:
        ``sam``, ``round1`` and ``region``: the Dice of that mask and the final one; ``slices``: the Dice of
        CLIP's tumour slices and those of the final mask, over the slices that CLIP is sure of.
    """
    ill = bool(np.any(labels == TUMOUR))

    def agreement(other: Mask) -> float:
        return 0.0 if ill and not final.any() and not other.any() else dice(final, other)

    sure = labels != UNCERTAIN
    found = {"sam": agreement(pseudo_label), "round1": agreement(round1), "region": agreement(region)}
    return found | {"slices": dice(np.any(final, axis=(1, 2))[sure], labels[sure] == TUMOUR)}


@dataclass(frozen=True)
class Expected:
    """The DSC to expect of a mask, in percent, and the interval that it may lie in."""

    dsc: float
    low: float
    high: float


@dataclass(frozen=True)
class Calibration:
    """What agreement went along with which DSC, on volumes with references.

    Attributes:
        constant: expected DSC in percent where nothing agrees.
        weights: percentage points for full agreement, by agreement.
        margin: half the width of the interval, in percentage points.
        coverage: the share of the calibration's volumes, each left out in turn, that the interval held.
    """

    constant: float
    weights: Mapping[str, float]
    margin: float
    coverage: float

    def expect(self, agreements: Mapping[str, float]) -> Expected:
        """The DSC to expect at these agreements; all three figures lie in [0, 100]."""
        value = self.constant + sum(weight * agreements[name] for name, weight in self.weights.items())
        low, dsc, high = np.clip([value - self.margin, value, value + self.margin], 0, 100).tolist()
        return Expected(dsc, low, high)
