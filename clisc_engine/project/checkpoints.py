"""Trained weights and trainings under way, written so that a kill at any instant loses nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import safetensors

from clisc_engine.errors import BadInput, Home, MissingStage, Unreadable
from clisc_engine.files.atomic import disk_faults, write_atomically
from clisc_engine.files.digest import digest_of_tensors
from clisc_engine.files.limits import is_want_of_memory
from clisc_engine.files.reading import is_there, reading
from clisc_engine.products.graph import MADE_BY
from clisc_engine.project.curve import Curve
from clisc_engine.project.fingerprint import difference, fingerprint
from clisc_engine.project.state_file import DamagedState, check_state, read_state
from clisc_engine.version import VERSION

if TYPE_CHECKING:
    import torch
    from torch import nn


ASIDE = ".damaged"
"""Ending of a damaged state that was put aside."""


class _Metadata(NamedTuple):
    """What a file of weights says of itself: what made them, their digest, and when by which version."""

    made_from: dict[str, str]
    sha256: str
    time: str
    version: str


@dataclass(frozen=True)
class Checkpoint:
    """The weights of one training (``classifier-raw``, ``unet-round1``, ...) and its state.

    Weights are safetensors whose metadata tell what made them, and hold a digest of the tensors. The
    state of a training under way lies beside them, and the state before it too, in case the newest
    cannot be read.

    Attributes:
        folder: where all of it is written.
        name: of the training.
        below: the same training's checkpoint that is read while ``folder`` holds no finished weights, and
            never written: a variant's is its project's. None without.
    """

    folder: Path
    name: str
    below: Checkpoint | None = None

    @property
    def weights(self) -> Path:
        """The finished weights."""
        return self.folder / f"{self.name}.safetensors"

    @property
    def holder(self) -> Checkpoint:
        """The checkpoint whose finished weights count: this one, or one below."""
        return self if self.below is None or is_there(self.weights) else self.below.holder

    @property
    def state(self) -> Path:
        """The state of a training under way."""
        return self.folder / f"{self.name}.training.pt"

    @property
    def previous_state(self) -> Path:
        """The state that was saved before it."""
        return self.folder / f"{self.name}.training-before.pt"

    @property
    def curve(self) -> Curve:
        """Its epochs."""
        return Curve(self.folder, self.name)

    @property
    def removed(self) -> Path:
        """Stands in the place of weights that `verify --repair` took away, and says why."""
        return self.folder / f"{self.name}.removed.txt"

    def made_from(self) -> dict[str, str] | None:
        """What made the weights; None when there are none.

        Raises:
            Unreadable: when they are there and cannot be read now.
            BadInput: when the file is damaged.
        """
        metadata = self._metadata()
        return None if metadata is None else metadata.made_from

    def origin(self) -> tuple[str, str]:
        """When the finished weights were written, UTC, and by which version; empty of 0.1.0's, and of none.

        Raises:
            Unreadable: when they are there and cannot be read now.
            BadInput: when the file is damaged.
        """
        metadata = self._metadata()
        return ("", "") if metadata is None else (metadata.time, metadata.version)

    def fingerprint(self) -> str:
        """Fingerprint of the finished weights.

        Raises:
            MissingStage: when they have not been trained yet.
        """
        provenance = self.made_from()
        if provenance is None:
            command = MADE_BY[self.name]
            raise MissingStage(
                f"{self.name} is not trained yet; run {self._home.in_words(command)} first.",
                command=command,
                home=self._home,
            )
        return fingerprint(provenance)

    def load(self, module: nn.Module) -> None:
        """Load the finished weights into a module of the same shape."""
        self.fingerprint()
        try:
            module.load_state_dict(self.tensors())
        except RuntimeError as error:
            raise BadInput(f"{self.weights} does not fit the network: {error}") from error

    def tensors(self) -> dict[str, torch.Tensor]:
        """The finished weights by name, checked against their digest.

        Raises:
            Unreadable: when they are there and cannot be read now.
            BadInput: when the file is damaged or gone.
        """
        import safetensors.torch

        if (holder := self.holder) is not self:
            return holder.tensors()
        metadata = self._metadata()
        with reading(self.weights):
            # Bytes first: a mapped file whose disk fails would end the process by a signal.
            try:
                found = safetensors.torch.load(self.weights.read_bytes())
            except FileNotFoundError as error:
                raise self._damaged("it is gone") from error
            except (safetensors.SafetensorError, KeyError, ValueError) as error:
                raise self._damaged(str(error)) from error
            except RuntimeError as error:
                if is_want_of_memory(error):
                    raise Unreadable(self.weights, MemoryError(str(error))) from error
                raise
        if metadata is None or digest_of_tensors(found) != metadata.sha256:
            raise self._damaged("its tensors have changed since they were written")
        return found

    def finish(
        self, weights: dict[str, torch.Tensor], made_from: dict[str, str], *, keep_state: bool
    ) -> None:
        """Save the finished weights, then drop the training state unless more epochs can follow."""
        import safetensors.torch

        with disk_faults(self.weights):
            self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {key: value.detach().cpu().contiguous() for key, value in weights.items()}
        metadata = {
            "made_from": json.dumps(made_from),
            "sha256": digest_of_tensors(tensors),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": VERSION,
        }
        self.curve.kept.unlink(missing_ok=True)  # a kill before the weights is made up for by their state
        write_atomically(self.weights, safetensors.torch.save(tensors, metadata))
        self.removed.unlink(missing_ok=True)
        self.drop_states(keep_newest=keep_state)

    def take_away(self, why: str) -> None:
        """Remove the finished weights, so that the stage that makes them does so again."""
        write_atomically(self.removed, why.encode())
        self.weights.unlink(missing_ok=True)

    def taken_away(self) -> str:
        """Why `take_away` removed the weights; empty when it did not, or they were made again."""
        if is_there(self.weights) or not is_there(self.removed):
            return ""
        return self.removed.read_text(encoding="utf-8", errors="replace") or "they were removed"

    def drop_states(self, *, keep_newest: bool) -> None:
        """Drop the training states, or all but the newest."""
        self.previous_state.unlink(missing_ok=True)
        if not keep_newest:
            self.state.unlink(missing_ok=True)

    def save_state(self, state: dict[str, Any]) -> None:
        """Save the state of a training under way; the one before it is kept.

        Raises:
            DiskFault: when the disk does not take it; the one before it is kept then too.
        """
        import torch

        buffer = io.BytesIO()
        torch.save(state, buffer)
        with disk_faults(self.state):
            self.folder.mkdir(parents=True, exist_ok=True)
            for leftover in self.folder.glob(f".{self.name}.*.partial"):
                leftover.unlink(missing_ok=True)
            if is_there(self.state):
                self.state.replace(self.previous_state)
            write_atomically(self.state, buffer.getvalue())

    def load_state(
        self,
        expected: str,
        damaged: Callable[[Path, str], None],
        another: Callable[[dict[str, Any]], None] = lambda state: None,
    ) -> dict[str, Any] | None:
        """The newest readable state of a training of this fingerprint; None when there is none.

        Args:
            expected: the training's fingerprint.
            damaged: is told of each file that is damaged, and why; it is passed over.
            another: is given each state, newest first, that is of another training and passed over.

        Raises:
            Unreadable: when one that is there cannot be read now: it may be the one to go on from.
        """
        for path in (self.state, self.previous_state):
            if not is_there(path):
                continue
            try:
                state = read_state(path)
                check_state(state)
            except DamagedState as error:
                damaged(path, str(error))
                continue
            if state["fingerprint"] == expected:
                return dict(state)
            another(state)
        return None

    def put_aside(self, path: Path) -> Path:
        """Keep a damaged state under another name, since the next save would write over it.

        Raises:
            DiskFault: when the disk does not take it.
        """
        aside = path.with_name(path.name + ASIDE)
        with disk_faults(path):
            path.replace(aside)
        return aside

    def _metadata(self) -> _Metadata | None:
        """What the weights' file says of itself; None when there is none."""
        if (holder := self.holder) is not self:
            return holder._metadata()
        if not is_there(self.weights):
            return None
        with reading(self.weights):
            with self.weights.open("rb") as file:  # safetensors calls whatever it cannot open missing
                file.read(1)
            try:
                with safetensors.safe_open(str(self.weights), framework="numpy") as weights:
                    metadata = weights.metadata() or {}
                provenance = json.loads(metadata["made_from"])
                digest = metadata["sha256"]
            except (ValueError, KeyError, RecursionError, safetensors.SafetensorError) as error:
                raise self._damaged(f"{type(error).__name__}: {error}") from error
        if not isinstance(provenance, dict) or not {str}.issuperset(map(type, provenance.values())):
            raise self._damaged("it does not say what made it")
        return _Metadata(provenance, digest, metadata.get("time", ""), metadata.get("version", ""))

    @property
    def _home(self) -> Home:
        return Home.of(self.folder.parent, is_variant=self.below is not None)

    def _damaged(self, why: str) -> BadInput:
        home = self._home
        again = f", then run {home.in_words(MADE_BY[self.name])} again" if self.name in MADE_BY else ""
        return BadInput(f"{self.weights} is damaged ({why}); {home.repair} removes it{again}.")


def why_not_trained(checkpoint: Checkpoint, made_from: dict[str, str]) -> str:
    """Empty when the finished weights are what this training would make, else the reason."""
    before = checkpoint.made_from()
    if before is None:
        return f"{checkpoint.name} is not trained yet"
    return difference(before, made_from)
