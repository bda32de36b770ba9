"""A project's brains on the network's grid: read when they are asked for, kept up to a limit."""

from __future__ import annotations

from collections.abc import Sequence

from clisc_engine.baselines.method import NormalCase
from clisc_engine.baselines.sim2real.brains import Brain, on_grid
from clisc_engine.products.kinds import IMAGE


class BrainStore(Sequence[Brain]):
    """The brains of some cases, by number; threads may ask for them."""

    def __init__(self, cases: Sequence[NormalCase], grid: Sequence[int], limit: float) -> None:
        """Read nothing yet.

        Args:
            cases: images, and which of their slices are normal.
            grid: voxels (Z, Y, X) of the network's input.
            limit: bytes of brains to keep in memory.
        """
        self.cases, self._grid, self._left = cases, grid, limit
        self._kept: dict[int, Brain] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self.cases)

    def __getitem__(self, index: int) -> Brain:  # type: ignore[override]
        """The brain of that number.

        Raises:
            BadInput: when its image is missing or damaged.
        """
        if index in self._kept:
            return self._kept[index]
        one = self.cases[index]
        brain = on_grid(one.case.read(IMAGE), one.normal, one.case.info.spacing, self._grid)
        if brain.image.nbytes <= self._left:
            self._left -= brain.image.nbytes
            self._kept[index] = brain
        return brain
