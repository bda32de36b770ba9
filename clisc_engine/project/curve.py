"""The curve of a network: of its finished weights, and of a training that is to replace them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.files.atomic import disk_faults, write_atomically
from clisc_engine.files.reading import is_there
from clisc_engine.files.tables import read_table


def seconds_of_epochs(path: Path) -> list[float]:
    """How long each epoch in a curve's file took; none where it is not there, or not whole just now."""
    try:
        return [float(row.values["seconds"]) for row in read_table(path, ("seconds",), "seconds")]
    except (BadInput, ValueError):
        return []


@dataclass(frozen=True)
class Curve:
    """Where the epochs of a network are told, as CSV.

    A training writes its curve among the logs. Where it begins anew, over finished weights that stay until
    it ends, theirs is kept beside them meanwhile.

    Attributes:
        folder: of the project's checkpoints.
        name: the network's.
    """

    folder: Path
    name: str

    @property
    def of_weights(self) -> Path:
        """The curve of the finished weights."""
        return self.kept if self.is_kept else self.logged

    @property
    def is_kept(self) -> bool:
        """Whether a training that has come past its first epoch is to replace finished weights."""
        return is_there(self.kept)

    @property
    def logged(self) -> Path:
        """The curve of the last training, whether it has ended or not."""
        return self.folder.parent / "logs" / f"{self.name}.csv"

    @property
    def kept(self) -> Path:
        """Where that of the finished weights lies while another training is under way."""
        return self.folder / f"{self.name}.curve.csv"

    def keep(self) -> None:
        """Keep the finished weights' curve, which a training is about to write over.

        Raises:
            DiskFault: when the disk does not take it.
        """
        if is_there(self.logged) and not self.is_kept:
            write_atomically(self.kept, self.logged.read_bytes())

    def put_back(self) -> None:
        """Let the finished weights have their curve: the training that wrote over it is given up."""
        if self.is_kept:
            with disk_faults(self.logged):
                self.kept.replace(self.logged)
