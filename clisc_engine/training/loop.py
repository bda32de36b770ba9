"""One training loop for all networks, resumable at any step.

Every random draw of an epoch (order, crops, augmentation, dropout) comes from generators seeded by
(seed, epoch) alone. A training resumed after a whole epoch therefore takes the same steps as one that was
not interrupted. Within an epoch the state holds the number of batches used and torch's generators: on
resume those batches are drawn again and skipped, which brings every generator to where it was. On a CPU
the final weights are the same to the bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Generic

import torch

from clisc_engine.errors import BadInput, EndedElsewhere, Stopped
from clisc_engine.files.atomic import disk_faults
from clisc_engine.files.limits import is_want_of_memory
from clisc_engine.files.reading import is_there
from clisc_engine.files.tables import write_table
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.running.control import Control
from clisc_engine.running.device import autocast
from clisc_engine.training import state as training_state
from clisc_engine.training.events import Events
from clisc_engine.training.training import Batch, Training

STEPS_BETWEEN_CHECKS = 20
"""Reading a loss makes a GPU wait, so only every so many steps one is checked."""


def fit(training: Training[Batch], checkpoint: Checkpoint, curve: Path, control: Control) -> None:
    """Train from where it was left, if it was, to the end; then save the weights.

    Raises:
        BadInput: when the loss becomes NaN or infinite, or memory does not suffice.
        Stopped: when asked to stop; the state is saved.
    """
    if training.ranks.takes_part:
        _fit(training, checkpoint, curve, control)
    control.ranks.gather(None)  # ranks that do not train wait here


def _fit(training: Training[Batch], checkpoint: Checkpoint, curve: Path, control: Control) -> None:
    state = training_state.restore(training, checkpoint, control)
    scaler = _scaler(training, control)
    if state["scaler"]:
        scaler.load_state_dict(state["scaler"])
    control.progress.begin(checkpoint.name, training.epochs, "epoch", state["epoch"])
    events = Events(curve, control.progress.say)
    saves = training_state.Saves(training, checkpoint, control)
    try:
        if saves.writes and state["history"]:  # a killed call may have left one epoch more or less in it
            _write_curve(checkpoint, curve, state["history"])
            events.write(state["history"])
        while state["epoch"] < training.epochs:
            if _is_to_stop(training, control):
                saves.catch_up(state)
                raise control.stopped()
            record = _Epoch(training, state, saves, scaler, control).run()
            training_state.keep_best(training, state, record)
            state["epoch"] += 1
            state["within"] = {}
            state["history"].append(record)
            if saves.writes:
                saves.save_after_epoch(state)
                _write_curve(checkpoint, curve, state["history"])
                events.write(state["history"])
            control.progress.advance(f"loss {record['loss']:.4f}")
    finally:
        events.close()
        control.progress.end()
    if saves.writes:
        control.check_may_write()
        weights = state["best"] or training.module.state_dict()
        checkpoint.finish(weights, training.made_from, keep_state=training.extensible)


def _scaler(training: Training[Any], control: Control) -> torch.amp.GradScaler:
    """The one scaler of a training's loss: float16 gradients would underflow without it."""
    device = next(training.module.parameters()).device.type
    half = control.precision == "16" and device in ("cuda", "cpu")
    return torch.amp.GradScaler(device if half else "cpu", enabled=half)


def _is_to_stop(training: Training[Any], control: Control) -> bool:
    """All ranks stop, or none does."""
    return training.ranks.largest(bool(control.stop.reason)) == [True]


class _Epoch(Generic[Batch]):
    """One pass over the data, saved on the way."""

    def __init__(
        self,
        training: Training[Batch],
        state: dict[str, Any],
        saves: training_state.Saves,
        scaler: torch.amp.GradScaler,
        control: Control,
    ) -> None:
        self.training, self.state, self.saves, self.control = training, state, saves, control
        self.scaler = scaler
        self.ranks = training.ranks
        self.epoch: int = state["epoch"]
        self.device = next(training.module.parameters()).device
        self.total = torch.zeros((), device=self.device)
        self.step = 0
        self.before = 0.0
        self.started = time.monotonic()

    def run(self) -> dict[str, float]:
        """All its steps, or those that are left; its record for the curve."""
        training = self.training
        torch.manual_seed(self._seed())
        factor = training.schedule(self.epoch)
        for group in training.optimiser.param_groups:
            group.setdefault("initial_lr", group["lr"])
            group["lr"] = group["initial_lr"] * factor
        training.module.train()
        batches = training.batches(self.epoch)
        self._go_on(batches)
        for batch in batches:
            self._take_step(batch)
            stop, save = self.ranks.largest(bool(self.control.stop.reason), self.saves.due_within_epoch())
            if stop or save:
                self._save()
            if stop:
                raise self.control.stopped()
        self._check_loss()
        record = {
            "epoch": self.epoch + 1,
            "loss": float(self.total) / max(self.step, 1),
            "learning_rate": training.optimiser.param_groups[0]["lr"],
        }
        if training.score is not None:
            record |= self._scored(training.score)
        self.state["scaler"] = self.scaler.state_dict()
        record["seconds"] = round(self._seconds(), 3)
        return record

    def _take_step(self, batch: Batch) -> None:
        training = self.training
        if self.ranks.rank:
            torch.manual_seed(self._seed() + self.step * 2**16)  # of its dropout, which no state keeps
        try:
            with autocast(self.device, self.control.precision):
                loss = training.loss(batch)
            training.optimiser.zero_grad(set_to_none=True)
            self.scaler.scale(loss).backward()
            self.scaler.step(training.optimiser)
            self.scaler.update()
        except (RuntimeError, MemoryError) as error:
            if not is_want_of_memory(error):
                raise
            raise BadInput(
                f"{training.name} does not fit the memory of {self.device}; lower "
                f"{training.settings}.batch_size (the result changes with it), or use --precision bf16."
            ) from None
        self.total += loss.detach().float()
        self.step += 1
        if self.step == 1 or self.step % STEPS_BETWEEN_CHECKS == 0:
            self._check_loss()

    def _check_loss(self) -> None:
        if bool(torch.isfinite(self.total)):
            return
        training = self.training
        where = f"The loss of {training.name} became NaN or infinite in epoch {self.epoch + 1}"
        if self.epoch == 0 and self.step == 1:
            raise BadInput(
                f"{where}, at its very first step, so the learning rate is not the cause: look for an "
                "image with extreme values, and for --precision 16 (bf16 and 32 reach farther)."
            )
        raise BadInput(
            f"{where}; lower {training.schedule_section}.learning_rate (now "
            f"{training.optimiser.param_groups[0]['initial_lr']:g}), and look for an image with extreme "
            "values."
        )

    def _scored(self, score: Callable[[], float]) -> dict[str, float]:
        """Rank 0's score; the others wait for it, and hear of it when that one was to stop meanwhile."""
        found: dict[str, float] = {}
        stopped = False
        if self.ranks.rank == 0:
            self.training.module.eval()
            try:
                with torch.inference_mode():
                    found["score"] = score()
            except Stopped:
                self._save()
                stopped = True
            except EndedElsewhere:
                self._save()
                raise
        if self.ranks.largest(stopped) == [True]:
            raise self.control.stopped()
        return found

    def _save(self) -> None:
        self._check_loss()
        self.state["within"] = {
            "step": self.step,
            "total": self.total.cpu(),
            "seconds": self._seconds(),
            "generator": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
        }
        self.state["scaler"] = self.scaler.state_dict()
        self.saves.save(self.state)

    def _go_on(self, batches: Iterator[Batch]) -> None:
        """Skip the batches that were used before the epoch was interrupted."""
        within = self.state["within"]
        if not within:
            return
        self.step, self.total, self.before = (
            within["step"],
            within["total"].to(self.device),
            within["seconds"],
        )
        for _ in islice(batches, self.step):
            if _is_to_stop(self.training, self.control):
                raise self.control.stopped()
        torch.set_rng_state(within["generator"])
        if within["cuda"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(within["cuda"], self.device)

    def _seed(self) -> int:
        """Of the epoch's dropout; no two ranks drop the same."""
        return self.training.seed * 1_000_003 + self.epoch + self.ranks.rank * 2**40

    def _seconds(self) -> float:
        return self.before + time.monotonic() - self.started


def _write_curve(checkpoint: Checkpoint, path: Path, history: list[dict[str, float]]) -> None:
    if is_there(checkpoint.weights):
        checkpoint.curve.keep()
    with disk_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, list(history[0]), history)
