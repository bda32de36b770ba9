"""A training's curve as TensorBoard events, beside its CSV, where TensorBoard is installed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SCALARS = ("loss", "learning_rate", "score")


class Events:
    """Event files of one training, in ``tensorboard/<name>`` beside its curve ``<name>.csv``.

    The first call in a process writes all epochs so far in place of older files, so that a training
    that goes on, or begins anew, shows no epoch twice.
    """

    def __init__(self, curve: Path) -> None:
        """Open nothing yet."""
        self.folder = curve.parent / "tensorboard" / curve.stem
        self._writer: Any = None

    def write(self, history: Sequence[Mapping[str, float]]) -> None:
        """Add the newest epoch; ``history`` holds all of them, as the CSV does."""
        latest = history[-1:]
        if self._writer is None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:  # an extra; the CSV says the same
                return
            shutil.rmtree(self.folder, ignore_errors=True)
            self._writer = SummaryWriter(str(self.folder))
            latest = history
        for record in latest:
            for name in SCALARS:
                if name in record:
                    self._writer.add_scalar(name, record[name], int(record["epoch"]))
        self._writer.flush()

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._writer is not None:
            self._writer.close()
