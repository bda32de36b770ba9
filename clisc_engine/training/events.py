"""A training's curve as TensorBoard events, beside its CSV, where TensorBoard is installed."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

SCALARS = ("loss", "learning_rate", "score")


class Events:
    """Event files of one training, in ``tensorboard/<name>`` beside its curve ``<name>.csv``.

    The first call in a process writes all epochs so far in place of older files, so that a training
    that goes on, or begins anew, shows no epoch twice. A folder that cannot be written ends no training:
    it is told once, and the CSV says the same. TensorBoard's own writer is not used, since its thread
    prints such an error with a traceback.
    """

    def __init__(self, curve: Path, say: Callable[[str], None]) -> None:
        """Open nothing yet; ``say`` tells the user that the events end."""
        self.curve = curve
        self.folder = curve.parent / "tensorboard" / curve.stem
        self._say = say
        self._file: IO[bytes] | None = None
        self._has_ended = False

    def write(self, history: Sequence[Mapping[str, float]]) -> None:
        """Add the newest epoch; ``history`` holds all of them, as the CSV does."""
        if self._has_ended:
            return
        try:
            from tensorboard.compat.proto.event_pb2 import Event
        except ImportError:  # an extra; the CSV says the same
            return
        try:
            latest = history[-1:]
            if self._file is None:
                self._file = self._open()
                self._add(Event(wall_time=time.time(), file_version="brain.Event:2"))
                latest = history
            for record in latest:
                self._add(_event_of(record))
            self._file.flush()
        except OSError as error:
            self._has_ended = True
            self._say(
                f"TensorBoard's events cannot be written to {self.folder}: {error.strerror or error}; the "
                f"training goes on without them, {self.curve} has its curve."
            )

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def _open(self) -> IO[bytes]:
        """A new file in the place of those that are there."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.0"
        return (self.folder / name).open("wb")

    def _add(self, event: Any) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        RecordWriter(self._file).write(event.SerializeToString())


def _event_of(record: Mapping[str, float]) -> Any:
    """The event of one epoch."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    values = [Summary.Value(tag=name, simple_value=record[name]) for name in SCALARS if name in record]
    return Event(wall_time=time.time(), step=int(record["epoch"]), summary=Summary(value=values))
