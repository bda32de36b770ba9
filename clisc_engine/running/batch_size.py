"""Inference in batches: halved when an accelerator's memory does not suffice, left when asked to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from clisc_engine.errors import BadInput
from clisc_engine.running.control import Control

Result = TypeVar("Result")


@dataclass
class BatchSize:
    """How many units a network gets at once. All cases share it, so that memory runs out only once.

    Attributes:
        size: the largest number of units at once; halved when memory runs out.
        unit: what is counted, e.g. ``slices``.
        control: its progress is told of a smaller size; it also says when to stop.
    """

    size: int
    unit: str
    control: Control

    def run(self, count: int, work: Callable[[slice], None]) -> None:
        """Do ``work`` on the ranges of ``count`` units, one after the other.

        Raises:
            BadInput: when not even one unit fits the memory.
            Stopped: when asked to stop; the case is not finished.
        """
        start = 0
        while start < count:
            first = start
            self.attempt(lambda size, first=first: work(slice(first, first + size)))  # type: ignore[misc]
            start += self.size

    def attempt(self, work: Callable[[int], Result]) -> Result:
        """The result of ``work`` at the largest size that fits the memory."""
        import torch  # loaded long before: whatever is done in batches is done by a network

        while True:
            self.control.check_stop()
            try:
                return work(self.size)
            except torch.OutOfMemoryError:
                if self.size == 1:
                    raise BadInput(
                        f"The device's memory does not hold one of the {self.unit} at a time; "
                        "try --precision bf16, or another --device."
                    ) from None
            self._halve()

    def _halve(self) -> None:
        import torch

        before, self.size = self.size, self.size // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.control.progress.say(
            f"Out of memory with {before} {self.unit} at once; going on with {self.size} "
            f"(--batch-size {self.size} avoids the try)."
        )
