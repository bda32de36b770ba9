"""What the trainings of the tiny models from a bank of slices have in common."""

import argparse
from pathlib import Path

import torch
from torch import nn


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Exponential moving average of parameters; buffers are copied."""
    for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
        slow.lerp_(fast, 1.0 - decay)
    for kept, new in zip(average.buffers(), model.buffers(), strict=True):
        kept.copy_(new)


def options_of(model: str, *, batch: int, rate: float) -> argparse.ArgumentParser:
    """The options of ``python -m clisc_engine.tiny MODEL``.

    Args:
        model: ``clip`` or ``sam``.
        batch: slices a step, by default.
        rate: highest learning rate, by default.
    """
    parser = argparse.ArgumentParser(prog=f"python -m clisc_engine.tiny {model}")
    parser.add_argument("bank", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of the exported weights")
    parser.add_argument("--state", type=Path, required=True, help="file to resume from later")
    parser.add_argument("--start", type=Path, default=None, help="folder of weights to start from")
    parser.add_argument("--resume", type=Path, default=None)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument("--every", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--version", default="1")
    return parser
