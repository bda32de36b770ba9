"""What a training leaves on disk, and how it goes on from there."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clisc_engine.errors import BadInput, Unreadable
from clisc_engine.files.limits import is_want_of_memory
from clisc_engine.project.checkpoints import Checkpoint, why_not_trained
from clisc_engine.project.fingerprint import difference
from clisc_engine.running.control import Control

if TYPE_CHECKING:
    from clisc_engine.training.training import Training

SHARE = 0.02
"""Of a training's time that saves after whole epochs may take: short epochs are not saved each."""


def why_train(
    checkpoint: Checkpoint, made_from: dict[str, str], control: Control, *, extensible: bool
) -> str:
    """Empty when the finished weights are what this training would make, else the reason to train."""
    return control.ranks.share(lambda: _why_train(checkpoint, made_from, control, extensible))


def _why_train(
    checkpoint: Checkpoint, made_from: dict[str, str], control: Control, extensible: bool
) -> str:
    reason = why_not_trained(checkpoint, made_from) or ("forced" if control.force else "")
    if not reason and not control.dry_run:
        checkpoint.drop_states(keep_newest=extensible)  # a kill right after the last save leaves them
        checkpoint.curve.put_back()
    return reason


def restore(training: Training[Any], checkpoint: Checkpoint, control: Control) -> dict[str, Any]:
    """The state to go on from, with network and optimiser restored; a new one if none is saved.

    Raises:
        Unreadable: when a state exists but cannot be read now.
        BadInput: when it does not fit the network, or the ranks see different states.
    """
    say = control.progress.say
    saved = _load(training, checkpoint, control)
    if saved is not None and (saved["epoch"] > training.epochs or _is_finished(training, saved, control)):
        saved = None
    if saved is None:
        _say_why_anew(training, checkpoint, say)
        empty: dict[str, Any] = {"epoch": 0, "within": {}, "history": [], "best": {}, "best_score": -1.0}
        return {"fingerprint": training.identity, **empty, "scaler": {}}
    try:
        training.module.load_state_dict(saved.pop("module"))
        training.optimiser.load_state_dict(saved.pop("optimiser"))
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        if is_want_of_memory(error):
            raise Unreadable(checkpoint.state, MemoryError()) from error
        raise BadInput(
            f"{checkpoint.state} does not fit the network; remove it, and the training starts anew."
        ) from error
    steps_taken = f" and {saved['within']['step']} steps" if saved["within"] else ""
    say(f"{checkpoint.name}: goes on after epoch {saved['epoch']}{steps_taken}")
    return saved


class Saves:
    """When a training's state is written, and the writing; of several ranks rank 0 alone writes."""

    def __init__(self, training: Training[Any], checkpoint: Checkpoint, control: Control) -> None:
        """Nothing is written yet; the state is as it was restored."""
        self.training, self.checkpoint, self.control = training, checkpoint, control
        self.writes = training.ranks.rank == 0
        self._last = time.monotonic()
        self._took = 0.0
        self._behind = False

    def due_within_epoch(self) -> bool:
        """Whether ``save_every`` seconds have passed since the last save, if there are to be such saves."""
        every = self.training.save_every
        return self.writes and bool(every) and self._passed() >= every

    def save_after_epoch(self, state: dict[str, Any]) -> None:
        """Save the last epoch, and any other unless saves would take more than their `SHARE`."""
        self._behind = True
        if state["epoch"] == self.training.epochs or self._passed() >= self._took / SHARE:
            self.save(state)

    def catch_up(self, state: dict[str, Any]) -> None:
        """Save the whole epochs that have not been saved yet, if there are any."""
        if self._behind:
            self.save(state)

    def save(self, state: dict[str, Any]) -> None:
        """Write ``state`` with the network and the optimiser as they are.

        Raises:
            Stopped: when this run has lost the project's lock.
            DiskFault: when it cannot be written.
        """
        if not self.writes:
            return
        self.control.check_may_write()
        began = time.monotonic()
        self.checkpoint.save_state(
            {
                **state,
                "made_from": self.training.made_from,
                "module": self.training.module.state_dict(),
                "optimiser": self.training.optimiser.state_dict(),
            }
        )
        self._last = time.monotonic()
        self._took = self._last - began
        self._behind = False

    def _passed(self) -> float:
        return time.monotonic() - self._last


def keep_best(training: Training[Any], state: dict[str, Any], record: dict[str, float]) -> None:
    """Keep the weights in ``state`` if this epoch's score is the best so far."""
    score = record.get("score", -1.0)
    if score > state["best_score"]:
        weights = training.module.state_dict()
        state["best"] = {key: value.detach().cpu().clone() for key, value in weights.items()}
        state["best_score"] = score


def _load(training: Training[Any], checkpoint: Checkpoint, control: Control) -> dict[str, Any] | None:
    """The saved state, the same on every rank; damaged files are put aside once all have looked."""
    damaged: dict[Path, str] = {}
    others: list[dict[str, Any]] = []
    saved = checkpoint.load_state(training.identity, damaged.__setitem__, others.append)
    mine = (-1, 0) if saved is None else (saved["epoch"], saved["within"].get("step", 0))
    *latest, minus_epoch, minus_step = training.ranks.largest(*mine, -mine[0], -mine[1])
    if latest != [-minus_epoch, -minus_step]:
        raise BadInput(
            f"The ranks do not see the same {checkpoint.state}: rank {training.ranks.rank} finds {mine}, "
            f"another {latest} (epoch, step). The project must lie on a file system that all machines see."
        )
    for path, why in damaged.items() if training.ranks.rank == 0 else ():
        control.check_may_write()
        aside = checkpoint.put_aside(path)
        control.progress.say(f"{path} is damaged ({why}); it is kept as {aside.name}.")
    if damaged and saved is None:
        control.progress.say(f"{checkpoint.name} starts anew: no state of it is whole.")
    if saved is None and others:
        _say_what_was_interrupted(others[0], training, checkpoint, control.progress.say)
    return saved


def _is_finished(training: Training[Any], saved: dict[str, Any], control: Control) -> bool:
    """With ``--force`` an interrupted training goes on, and a finished one starts anew."""
    return control.force and saved["epoch"] == training.epochs


def _say_what_was_interrupted(
    other: dict[str, Any], training: Training[Any], checkpoint: Checkpoint, say: Callable[[str], None]
) -> None:
    """Say why an interrupted training does not go on: it was another one (0.1.0 did not note which)."""
    made_from, finished = other.get("made_from"), checkpoint.made_from()
    if isinstance(made_from, dict) and made_from != finished:
        changed = difference(made_from, training.made_from)
    elif not isinstance(made_from, dict) and finished is None:
        changed = "its settings or inputs have changed; its state does not say which"
    else:
        return
    say(f"{checkpoint.name} starts anew: since it was interrupted after epoch {other['epoch']}, {changed}")


def _say_why_anew(training: Training[Any], checkpoint: Checkpoint, say: Callable[[str], None]) -> None:
    """Say why it starts anew though only the number of epochs changed, where one expects it to go on."""
    key = f"{training.schedule_section}.epochs"
    before, after = checkpoint.made_from() or {}, training.made_from
    if {k for k in before.keys() | after.keys() if before.get(k) != after.get(k)} != {key}:
        return
    causes = {
        "the learning rate decays over all epochs, so the first ones would differ": not training.extensible,
        "it is past that": int(before[key]) > training.epochs,
        "its training state is gone": True,
    }
    cause = next(cause for cause, holds in causes.items() if holds)
    say(f"{checkpoint.name} starts anew: {key} {before[key]} -> {after[key]}, and {cause}")
