"""What the trainings of the tiny models from a bank of slices have in common."""

import argparse
import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor, nn

from clisc_engine.models.tiny import export, load
from clisc_engine.tiny.bank import Slices, read_bank

SMALLEST_AREA = 100.0
"""mm2: a slice with less tumour than this counts neither as ill nor as well."""
STEPS_A_READING = 400
"""Steps between two readings of the bank, which may grow meanwhile."""

Lesson: TypeAlias = Callable[[Slices, Tensor], tuple[Tensor, Tensor]]
"""From a bank and the indices (N,) of its slices in a step to the loss and the figure told beside it."""


@dataclass(frozen=True)
class Subject:
    """What is taught, and on what.

    Attributes:
        name: of the exported weights, e.g. ``tiny_clip``.
        exported: the part of the module that they are of.
        weight_decay: AdamW's.
        ill: slices with a tumour a step.
        well: those without one.
        figure: what is told beside the loss, e.g. ``dice``.
    """

    name: str
    exported: Callable[[nn.Module], nn.Module]
    weight_decay: float
    ill: int
    well: int
    figure: str


def teach(
    subject: Subject, model: nn.Module, lesson: Lesson, rng: torch.Generator, options: argparse.Namespace
) -> None:
    """Train a model; its averaged weights are exported every ``--every`` steps.

    Args:
        subject: what is taught.
        model: it, before its first step.
        lesson: the loss of a step.
        rng: draws the slices of each step, before the lesson.
        options: see `options_of`.

    Raises:
        FileNotFoundError: when the bank is empty.
    """
    if options.start:
        load(subject.exported(model), subject.name, options.start)
    if options.resume:
        model.load_state_dict(torch.load(options.resume, weights_only=True))
    average = copy.deepcopy(model)
    optimiser = torch.optim.AdamW(model.parameters(), options.rate, weight_decay=subject.weight_decay)
    started, seen, told = time.monotonic(), 0, []
    for step in range(options.steps):
        if step % STEPS_A_READING == 0:
            bank = read_bank(options.bank)
            ill = torch.from_numpy(bank.area >= SMALLEST_AREA).nonzero()[:, 0]
            well = torch.from_numpy(bank.area == 0).nonzero()[:, 0]
        done = step / options.steps
        for group in optimiser.param_groups:
            group["lr"] = options.rate * min(1.0, (step + 1) / 200, 2.2 * (1.0 - done) + 0.01)
        of_both = ((ill, subject.ill), (well, subject.well))
        chosen = torch.cat([of[torch.randint(len(of), (count,), generator=rng)] for of, count in of_both])
        loss, figure = lesson(bank, chosen)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        follow(average, model, min(0.998, step / (step + 20)))
        told.append((float(loss.detach()), float(figure)))
        seen += len(chosen)
        if (step + 1) % options.every == 0 or step + 1 == options.steps:
            mean = torch.tensor(told).mean(0)
            pace = seen / (time.monotonic() - started)
            print(
                f"step {step + 1} loss {mean[0]:.4f} {subject.figure} {mean[1]:.4f} "
                f"bank {len(bank.area)} {pace:.0f}/s",
                flush=True,
            )
            told = []
            torch.save(average.state_dict(), options.state)
            note = {"version": options.version, "steps": str(step + 1), "seed": str(options.seed)}
            export(subject.exported(average), subject.name, note, options.out)


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
