"""A volume's slices as SAM's encoder sees them: each is encoded at most once, and kept between runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clisc_engine.models.sam import Embeddings
from clisc_engine.project.embedding_cache import EmbeddingCache
from clisc_engine.running.batch_size import BatchSize

Encode = Callable[[list[int]], Embeddings]
"""From the numbers of N slices to their embeddings (N, C, h, w)."""


@dataclass(frozen=True)
class CaseEmbeddings:
    """The embeddings of one case's slices in the cache on disk.

    Attributes:
        cache: of all cases.
        case: the case's name.
        key: fingerprint of all that makes its embeddings; with another key nothing is found.
    """

    cache: EmbeddingCache
    case: str
    key: str

    def load(self, slices: list[int]) -> dict[int, npt.NDArray[np.float16]]:
        """The embeddings of those of the slices that are there, by slice."""
        return self.cache.load(self.case, self.key, slices)

    def keep(self, embeddings: dict[int, npt.NDArray[np.float16]]) -> None:
        """Add embeddings, by slice."""
        self.cache.keep(self.case, self.key, embeddings)


class EncodedSlices:
    """The embeddings of a volume's slices, made when they are asked for."""

    def __init__(self, encode: Encode, size: BatchSize, kept: CaseEmbeddings | None) -> None:
        """Encode nothing yet.

        Args:
            encode: makes embeddings.
            size: how many slices it gets at once.
            kept: the volume's, kept between runs; None keeps none.
        """
        self._encode, self._size, self._kept = encode, size, kept
        self._at_hand: dict[int, npt.NDArray[np.float16]] = {}

    def of(self, wanted: Sequence[int]) -> list[npt.NDArray[np.float16]]:
        """The embeddings (C, h, w) of these slices: from memory, the cache, or the encoder."""
        lacking = sorted({*wanted} - self._at_hand.keys())
        cached = self._kept.load(lacking) if self._kept else {}
        self._at_hand |= cached
        new = [z for z in lacking if z not in cached]

        def encode(part: slice) -> None:
            self._at_hand.update(zip(new[part], self._encode(new[part]), strict=True))

        self._size.run(len(new), encode)
        if self._kept:
            self._kept.keep({z: self._at_hand[z] for z in new})
        return [self._at_hand[z] for z in wanted]
