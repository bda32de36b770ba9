"""One training loop for all networks, resumable after any epoch.

Every random draw of an epoch (order, crops, augmentation, dropout) comes from generators seeded by
(seed, epoch) alone. A training resumed from its last whole epoch therefore takes the same steps as an
undisturbed one, and on a CPU ends with the same weights to the bit.
"""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from clisc_engine.checkpoints import Checkpoint
from clisc_engine.control import Control
from clisc_engine.errors import BadInput
from clisc_engine.fingerprint import fingerprint
from clisc_engine.models.device import autocast
from clisc_engine.store import write_atomically

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Training(Generic[Batch]):
    """A training, complete but for where and how fast it runs.

    Attributes:
        made_from: all that determines the outcome, for the fingerprint.
        module: the network, on its device.
        optimiser: over the network's parameters.
        schedule: factor on the initial learning rate as a function of the epoch.
        epochs: how many to run in all.
        batches: the batches of an epoch, drawn from generators seeded by the epoch.
        loss: the loss of one batch.
        score: quality on the valid split, higher is better; None keeps the last epoch.
        blame: setting to look at when the loss is not finite.
    """

    made_from: dict[str, str]
    seed: int
    module: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: Callable[[int], float]
    epochs: int
    batches: Callable[[int], Iterator[Batch]]
    loss: Callable[[Batch], Tensor]
    score: Callable[[], float] | None
    blame: str


def fit(
    training: Training[Batch], checkpoint: Checkpoint, curve: Path, control: Control, device: str
) -> None:
    """Train from the last whole epoch, if there is one, to the end; then save the weights.

    Raises:
        BadInput: when the loss becomes NaN or infinite.
        Stopped: when asked to stop; the last whole epoch is kept.
    """
    identity = fingerprint(training.made_from)
    state = _restore(training, checkpoint, identity)
    if state["epoch"]:
        control.progress.say(f"{checkpoint.name}: resumed after epoch {state['epoch']}")
    control.progress.begin(checkpoint.name, training.epochs - state["epoch"], "epoch")
    try:
        for epoch in range(state["epoch"], training.epochs):
            record = _run_epoch(training, epoch, control, device)
            _keep_best(training, state, record)
            state["epoch"] = epoch + 1
            state["history"].append(record)
            _save(training, checkpoint, state)
            _write_curve(curve, state["history"])
            control.progress.advance(f"loss {record['loss']:.4f}")
    finally:
        control.progress.end()
    checkpoint.finish(state["best"] or training.module.state_dict(), training.made_from)


def polynomial(epochs: int, power: float) -> Callable[[int], float]:
    """The polynomial decay (1 - epoch / epochs) ** power."""
    return lambda epoch: (1 - epoch / epochs) ** power


def steps(every: int, factor: float = 0.1) -> Callable[[int], float]:
    """Decay by ``factor`` each ``every`` epochs; never when ``every`` is 0."""
    return lambda epoch: factor ** (epoch // every) if every else 1.0


def _restore(training: Training[Any], checkpoint: Checkpoint, identity: str) -> dict[str, Any]:
    saved = checkpoint.load_state(identity)
    if saved is None:
        return {"fingerprint": identity, "epoch": 0, "history": [], "best": {}, "best_score": -1.0}
    training.module.load_state_dict(saved.pop("module"))
    training.optimiser.load_state_dict(saved.pop("optimiser"))
    return saved


def _save(training: Training[Any], checkpoint: Checkpoint, state: dict[str, Any]) -> None:
    checkpoint.save_state(
        {
            **state,
            "module": training.module.state_dict(),
            "optimiser": training.optimiser.state_dict(),
        }
    )


def _run_epoch(training: Training[Batch], epoch: int, control: Control, device: str) -> dict[str, float]:
    started = time.monotonic()
    torch.manual_seed(training.seed * 1_000_003 + epoch)
    factor = training.schedule(epoch)
    for group in training.optimiser.param_groups:
        group.setdefault("initial_lr", group["lr"])
        group["lr"] = group["initial_lr"] * factor
    training.module.train()
    total = torch.zeros((), device=device)
    count = 0
    half = control.precision == "16" and device.startswith("cuda")
    scaler = torch.amp.GradScaler("cuda", enabled=half)  # float16 gradients would underflow
    for batch in training.batches(epoch):
        control.check_stop()
        with autocast(torch.device(device), control.precision):
            loss = training.loss(batch)
        training.optimiser.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.step(training.optimiser)
        scaler.update()
        total += loss.detach().float()
        count += 1
    mean = float(total) / max(count, 1)
    if not math.isfinite(mean):
        raise BadInput(
            f"The training loss became {mean} in epoch {epoch + 1}; lower {training.blame}, and "
            "look whether an image holds extreme values."
        )
    record = {"epoch": epoch + 1, "loss": mean, "learning_rate": group["lr"]}
    if training.score is not None:
        training.module.eval()
        with torch.inference_mode():
            record["score"] = training.score()
    record["seconds"] = round(time.monotonic() - started, 3)
    return record


def _keep_best(training: Training[Any], state: dict[str, Any], record: dict[str, float]) -> None:
    score = record.get("score", -1.0)
    if score > state["best_score"]:
        weights = training.module.state_dict()
        state["best"] = {key: value.detach().cpu().clone() for key, value in weights.items()}
        state["best_score"] = score


def _write_curve(path: Path, history: list[dict[str, float]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_atomically(path, text.getvalue().encode())
