"""The maps of a trained autoencoder: its attention, slice by slice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from clisc_engine.baselines.vae.histograms import matched
from clisc_engine.baselines.vae.maths import eroded
from clisc_engine.baselines.vae.network import Vae
from clisc_engine.baselines.vae.slices import as_input
from clisc_engine.core.brain import brain_of
from clisc_engine.imaging.window import square, unsquare
from clisc_engine.models.finite import check_finite
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.running.batch_size import BatchSize
from clisc_engine.running.control import Control
from clisc_engine.running.device import autocast
from clisc_engine.settings.baselines.vae import VaeSettings
from clisc_engine.settings.schema import WindowSettings
from clisc_engine.stages.classifier.slices import windowed

Finish: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""From attention (B, h, w) and the eroded brain (B, S, S) to the map (B, S, S), at least 0."""


class AttentionMapper:
    """Maps one case after the other; see `Mapper`."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        build: Callable[[], Vae],
        finish: Finish,
        settings: VaeSettings,
        window: WindowSettings,
        control: Control,
    ) -> None:
        """Load nothing yet.

        Args:
            checkpoint: the trained weights.
            build: the network before its weights, on its device.
            finish: makes the map of the attention.
            settings: the network's and the data's.
            window: of the 8-bit slices.
            control: precision, batch size, and requests to stop.
        """
        self.checkpoint, self.build, self.finish = checkpoint, build, finish
        self.settings, self.window, self.control = settings, window, control

    def load(self) -> None:
        """Load the network."""
        self.module = self.build()
        self.checkpoint.load(self.module)
        self.module.eval().requires_grad_(False)
        self.histogram = self.module.histogram.cpu().numpy()
        self.batch = BatchSize(self.control.batch_size or 32, "slices", self.control)

    def map(
        self, image: npt.NDArray[Any], _spacing: Sequence[float], _name: str
    ) -> npt.NDArray[np.float32]:
        """The map (Z, Y, X) of a stored image, 0 outside each slice's eroded brain; nothing is drawn."""
        brain = brain_of(image)
        shown = np.flatnonzero(brain.any(axis=(1, 2)))
        slices = matched(windowed(image, self.window), self.histogram, self.settings.histogram)
        maps = np.zeros(image.shape, np.float32)

        def map_slices(part: slice) -> None:
            squared = square(slices[shown[part]], self.settings.image_size)
            maps[shown[part]] = self._maps(torch.from_numpy(squared), image.shape[1:])

        self.batch.run(len(shown), map_slices)
        maps[~brain] = 0
        return maps

    def _maps(self, slices: Tensor, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        """The maps (B, Y, X) of squared slices (B, S, S).

        Raises:
            BadInput: when the attention is not finite.
        """
        device = self.module.histogram.device
        inner = eroded(slices > 0, self.settings.erosion)
        with autocast(device, self.control.precision):
            attention = self.module.attention(as_input(slices, device))
        check_finite(attention, "The autoencoder")  # its map may be scaled to 0 where it is not
        found = self.finish(attention.float().cpu(), inner)
        inside = unsquare(inner.numpy().astype(np.float32), shape) >= 0.5
        return np.where(inside, unsquare(found.numpy(), shape), np.float32(0))
