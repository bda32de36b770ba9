"""The volumes that a U-Net learns from: held decoded as far as memory allows, the others read ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import torch
from torch import Tensor

from clisc_engine.control import Control
from clisc_engine.models.unet import at_spacing
from clisc_engine.project import CaseArrays

Volume: TypeAlias = dict[str, Tensor]
"""``image`` (1, Z, Y, X) float32 and ``label`` (1, Z, Y, X) uint8, on the network's grid."""


class Volumes:
    """Images and pseudo-labels of some cases, as often and in which order a training wants them."""

    def __init__(
        self,
        cases: Sequence[CaseArrays],
        labels: str,
        spacing: Sequence[float],
        limit: float,
        control: Control,
    ) -> None:
        """Decode the cases, one after the other, until the limit is reached.

        Args:
            cases: in their order.
            labels: the array that is learned, e.g. ``masks/sam``.
            spacing: (z, y, x) in mm of the network's grid; empty is each volume's own.
            limit: bytes of decoded volumes to hold.
            control: says when to stop.
        """
        self._cases, self._labels, self._spacing = cases, labels, spacing
        self._held: dict[int, Volume] = {}
        left = limit
        for index in range(len(cases)):
            if left <= 0:
                break
            control.check_stop()
            volume = self._read(index)
            left -= sum(part.nbytes for part in volume.values())
            if left >= 0:
                self._held[index] = volume

    def __len__(self) -> int:
        """How many volumes there are."""
        return len(self._cases)

    def in_turn(self, order: Sequence[int]) -> Iterator[Volume]:
        """The volumes of these numbers; while one is worked on, the next is read."""
        with ThreadPoolExecutor(max_workers=1) as reader:
            ahead: deque[Callable[[], Volume]] = deque()
            for index in order:
                ahead.append(self._fetch(reader, index))
                if len(ahead) > 1:
                    yield ahead.popleft()()
            yield from (volume() for volume in ahead)

    def _fetch(self, reader: ThreadPoolExecutor, index: int) -> Callable[[], Volume]:
        if index in self._held:
            return lambda: self._held[index]
        return reader.submit(self._read, index).result

    def _read(self, index: int) -> Volume:
        case = self._cases[index]
        image, label = (
            at_spacing(case.read(array), case.info.spacing, self._spacing)
            for array in ("image", self._labels)
        )
        return {"image": torch.from_numpy(image[None]), "label": torch.from_numpy(label[None] > 0.5).byte()}
