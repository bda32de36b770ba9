"""Timing side by side, the floor that matrix products set, and peak memory."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from clisc_engine.running.allocator import keep_freed_memory

Action = Callable[[], object]
SHAPES = ((2048, 2048, 2048), (4096, 768, 3072), (4096, 3072, 768))
"""Matrix products (rows, inner, columns) of which the fastest counts as the machine's rate."""


BFLOAT16 = ", bfloat16"
"""What the name of work ends with that is done with ``--precision bf16``."""


@dataclass(frozen=True)
class Row:
    """One measured piece of work.

    Attributes:
        work: what is done.
        unit: what the seconds are of, e.g. ``slice``.
        seconds: ours.
        plain: the plain way's.
        wanted: the ratio plain / ours that is asked for; None asks for none.
        floor: seconds that its products alone take at the rate measured beside it; None when other
            things decide.
        floor_wanted: the largest ratio ours / floor; None asks for none.
        peak_gb: largest resident memory during ours.
        note: what else was seen, e.g. how near the results are.
        group: the table of its own that it stands in, such as that of a pipeline's stages; the rows of a
            group are no work by themselves.
    """

    work: str
    unit: str
    seconds: float
    plain: float
    wanted: float | None = None
    floor: float | None = None
    floor_wanted: float | None = None
    peak_gb: float | None = None
    note: str = ""
    group: str = ""

    @property
    def speedup(self) -> float:
        """How many times faster than the plain way."""
        return self.plain / self.seconds

    @property
    def over_floor(self) -> float | None:
        """How many times slower than the products alone."""
        return self.seconds / self.floor if self.floor else None


def plain_then_ours(ours: Action, plain: Action, *, rounds: int, warm: bool = True) -> tuple[float, float]:
    """The least seconds of each of two actions, one after the other in this process.

    The plain ones come first, with memory as the C library handles it by itself; then ours, with the
    memory that `clisc` keeps. In the other order the plain ones would find what ours have left.
    """

    def least(action: Action) -> float:
        if warm:
            action()
        return min(seconds(action) for _ in range(rounds))

    unaided = least(plain)
    keep_freed_memory()
    return least(ours), unaided


def seconds(action: Action) -> float:
    """How long an action takes once: by the clock, or with one thread in seconds of the processor.

    The latter count nothing of what others do on a shared machine, and no idle second thread.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    gc.collect()
    started = clock()
    action()
    return clock() - started


def told_seconds(what: str, action: Action) -> float:
    """As `seconds`, and a line on stderr, for work of many minutes."""
    took = seconds(action)
    print(f"{what}: {took:.1f} s", file=sys.stderr, flush=True)
    return took


@torch.inference_mode()
def product_rate(rounds: int = 5) -> float:
    """Floating-point operations a second of torch's fastest large float32 matrix product here."""
    best = 0.0
    for rows, inner, columns in SHAPES:
        left, right = torch.randn(rows, inner), torch.randn(columns, inner)
        took = min(seconds(partial(functional.linear, left, right)) for _ in range(rounds))
        best = max(best, 2 * rows * inner * columns / took)
    return best


def operations(action: Action) -> int:
    """Floating-point operations of an action's matrix products and convolutions.

    Torch's fused attention is taken apart meanwhile: the counter sees nothing of the products in it.
    """
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with FlopCounterMode(display=False) as counter:
            action()
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return counter.get_total_flops()


def peak_gb(action: Action) -> float:
    """Largest resident memory of this process in GB while the action runs, as `clisc` would run it."""
    gc.collect()
    keep_freed_memory()
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # starts the high-water mark anew
    action()
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1e6


def randomise(parameters: Iterable[tuple[str, Any]]) -> None:
    """Draw what upstream initialises with zeros, such as position embeddings."""
    torch.manual_seed(0)
    for name, parameter in parameters:
        if "pos" in name:
            torch.nn.init.normal_(parameter, std=0.05)
