"""The volumes that a U-Net learns from: in memory up to a limit, the others read ahead of their turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TypeAlias

import torch
from torch import Tensor

from clisc_engine.models.unet import at_spacing
from clisc_engine.project.project import CaseArrays
from clisc_engine.running.control import Control
from clisc_engine.running.read_ahead import Ahead, read_ahead

Volume: TypeAlias = dict[str, Tensor]
"""``image`` (1, Z, Y, X) float32 and ``label`` (1, Z, Y, X) uint8, on the network's grid."""


class Volumes:
    """Images and pseudo-labels of some cases, each a `Volume`, in any order and any number of times."""

    def __init__(
        self,
        cases: Sequence[CaseArrays],
        labels: str,
        spacing: Sequence[float],
        limit: float,
        control: Control,
    ) -> None:
        """Load the first cases into memory, until the limit is reached.

        Args:
            cases: in their order.
            labels: the array of pseudo-labels, e.g. ``masks/sam``.
            spacing: (z, y, x) in mm of the network's grid; empty is each volume's own.
            limit: bytes of decoded volumes to hold.
            control: says when to stop, and how many threads read ahead.
        """
        self._cases, self._labels, self._spacing, self._control = cases, labels, spacing, control
        self._held: dict[int, Volume] = {}
        left = limit
        if left <= 0:
            return
        everyone = map(Ahead, range(len(cases)))
        with closing(read_ahead(everyone, self._read, control)) as volumes:
            for index, volume_of in volumes:
                control.check_stop()
                volume = volume_of()
                left -= sum(part.nbytes for part in volume.values())
                if left >= 0:
                    self._held[index] = volume
                if left <= 0:
                    break

    def __len__(self) -> int:
        """How many volumes there are."""
        return len(self._cases)

    @property
    def spacings(self) -> list[Sequence[float]]:
        """(z, y, x) in mm of the voxels of each, as they are given."""
        return [self._spacing or case.info.spacing for case in self._cases]

    def in_turn(self, order: Sequence[int]) -> Iterator[Volume]:
        """The volumes of these numbers; while one is worked on, the next ones are read."""
        with closing(read_ahead(map(Ahead, order), self._held_or_read, self._control)) as volumes:
            for _, volume in volumes:
                yield volume()

    def none_marked(self) -> bool:
        """Whether no label marks anything."""
        return not any(bool(volume["label"].any()) for volume in self.in_turn(range(len(self))))

    def _held_or_read(self, index: int) -> Volume:
        return self._held[index] if index in self._held else self._read(index)

    def _read(self, index: int) -> Volume:
        case = self._cases[index]
        image, label = (
            at_spacing(case.read(array), case.info.spacing, self._spacing)
            for array in ("image", self._labels)
        )
        return {"image": torch.from_numpy(image[None]), "label": torch.from_numpy(label[None] > 0.5).byte()}
