"""Trained weights and trainings under way, written so that a kill at any instant loses nothing."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors

from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.fingerprint import difference, fingerprint
from clisc_engine.project import MADE_BY
from clisc_engine.store import write_atomically

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Checkpoint:
    """The weights of one training (``classifier-raw``, ``unet-round1``, ...) and its state.

    Weights are safetensors whose metadata tell what made them. The state of a training under way
    lies beside them until the training is done.
    """

    folder: Path
    name: str

    @property
    def weights(self) -> Path:
        """The finished weights."""
        return self.folder / f"{self.name}.safetensors"

    @property
    def state(self) -> Path:
        """The state of a training under way."""
        return self.folder / f"{self.name}.training.pt"

    def made_from(self) -> dict[str, str] | None:
        """What made the weights; None when there are none.

        Raises:
            BadInput: when the file is damaged.
        """
        if not self.weights.exists():
            return None
        try:
            with safetensors.safe_open(str(self.weights), framework="numpy") as file:
                metadata = file.metadata() or {}
            return dict(json.loads(metadata["made_from"]))
        except (OSError, ValueError, KeyError, safetensors.SafetensorError) as error:
            raise BadInput(
                f"{self.weights} is damaged ({error}); remove it and run "
                f"`clisc {MADE_BY.get(self.name, 'train')}` again."
            ) from error

    def fingerprint(self) -> str:
        """Fingerprint of the finished weights.

        Raises:
            MissingStage: when they have not been trained yet.
        """
        origin = self.made_from()
        if origin is None:
            command = MADE_BY.get(self.name, "train")
            raise MissingStage(f"{self.name} is not trained yet; run `clisc {command}` first.")
        return fingerprint(origin)

    def load(self, module: nn.Module) -> None:
        """Load the finished weights into a module of the same shape."""
        import safetensors.torch

        self.fingerprint()
        try:
            module.load_state_dict(safetensors.torch.load_file(str(self.weights)))
        except (RuntimeError, safetensors.SafetensorError) as error:
            raise BadInput(f"{self.weights} does not fit the network: {error}") from error

    def finish(self, weights: dict[str, torch.Tensor], made_from: dict[str, str]) -> None:
        """Save the finished weights, then drop the training state."""
        import safetensors.torch

        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {key: value.detach().cpu().contiguous() for key, value in weights.items()}
        metadata = {"made_from": json.dumps(made_from)}
        write_atomically(self.weights, safetensors.torch.save(tensors, metadata))
        self.state.unlink(missing_ok=True)

    def save_state(self, state: dict[str, Any]) -> None:
        """Save the state of a training under way."""
        import torch

        self.folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomically(self.state, buffer.getvalue())

    def load_state(self, expected: str) -> dict[str, Any] | None:
        """The state of a training of this fingerprint; None when there is none.

        Raises:
            BadInput: when the file is damaged.
        """
        import torch

        if not self.state.exists():
            return None
        try:
            state = torch.load(self.state, map_location="cpu", weights_only=True)
        except Exception as error:
            raise BadInput(
                f"{self.state} is damaged ({type(error).__name__}); remove it to start this training anew."
            ) from error
        return state if state.get("fingerprint") == expected else None


def why_not_trained(checkpoint: Checkpoint, made_from: dict[str, str]) -> str:
    """Empty when the finished weights are what this training would make, else the reason."""
    before = checkpoint.made_from()
    if before is None:
        return f"{checkpoint.name} is not trained yet"
    return difference(before, made_from)
