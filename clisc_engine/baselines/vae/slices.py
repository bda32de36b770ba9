"""The normal slices that an autoencoder learns, and the batches of an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from clisc_engine.baselines.method import NormalCase
from clisc_engine.baselines.vae.histograms import counts_of, matched
from clisc_engine.imaging.window import square
from clisc_engine.products.kinds import IMAGE
from clisc_engine.running.control import Control
from clisc_engine.settings.baselines.vae import VaeSettings
from clisc_engine.settings.schema import WindowSettings
from clisc_engine.stages.classifier.slices import arrays_of, windowed


@dataclass(frozen=True)
class NormalSlices:
    """Slices without a tumour, as the network sees them.

    Attributes:
        slices: (N, S, S) uint8.
        histogram: counts (256,) of their grey values before they were matched to these.
    """

    slices: Tensor
    histogram: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """How many."""
        return len(self.slices)

    def batches(self, count: int, size: int, generator: np.random.Generator) -> Iterator[Tensor]:
        """Random slices (size, S, S) uint8, none twice, ``count`` in all at most; 0 takes all.

        A last batch with fewer is left out, as in the authors' code, unless it is the only one.
        """
        order = generator.permutation(len(self))
        if count:
            order = order[:count]
        full = max(len(order) // size, 1)
        for chosen in np.split(order[: full * size], range(size, min(full * size, len(order)), size)):
            yield self.slices[torch.from_numpy(chosen)]


def gather(
    normal: Sequence[NormalCase], settings: VaeSettings, window: WindowSettings, control: Control
) -> NormalSlices:
    """Read the normal slices of these cases, and match them to their pooled grey values.

    A volume's table is made from all of its slices, since so it will be when the volume is mapped.
    """
    volumes = [
        (windowed(image, window), one.normal)
        for (_, (image,)), one in zip(
            arrays_of([one.case for one in normal], (IMAGE,), control), normal, strict=True
        )
    ]
    histogram = np.zeros(256, np.int64)
    for slices, flags in volumes:
        histogram += counts_of(slices[flags])
    found = [
        square(matched(slices, histogram, settings.histogram)[flags], settings.image_size)
        for slices, flags in volumes
    ]
    return NormalSlices(torch.from_numpy(np.concatenate(found)), histogram)


def as_input(slices: Tensor, device: torch.device) -> Tensor:
    """Slices (B, S, S) uint8 as the network takes them: (B, 1, S, S) float32 in [0, 1]."""
    return slices[:, None].to(device).float() / 255
