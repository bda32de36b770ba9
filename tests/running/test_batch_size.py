"""Batches shrink to what the memory holds, and every unit is done once."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clisc_engine.errors import BadInput, Stopped
from clisc_engine.running.batch_size import BatchSize
from clisc_engine.running.control import Control, Silent, StopFlag


class RecordingProgress(Silent):
    def __init__(self):
        self.lines = []

    def say(self, message):
        self.lines.append(message)


class Accelerator:
    """Does units, at most ``room`` at once."""

    def __init__(self, count, room):
        self.count, self.room, self.done = count, room, []

    def work(self, part):
        units = range(self.count)[part]
        if len(units) > self.room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        self.done += units


@given(count=st.integers(0, 40), size=st.integers(1, 64), room=st.integers(1, 64))
def test_every_unit_is_done_once_in_order(count, size, room):
    accelerator = Accelerator(count, room)
    batch = BatchSize(size, "slices", Control(progress=RecordingProgress()))
    batch.run(count, accelerator.work)
    assert accelerator.done == list(range(count))


def test_the_smaller_size_is_kept_and_said_once():
    progress = RecordingProgress()
    batch = BatchSize(32, "slices", Control(progress=progress))
    for _ in range(3):
        batch.run(100, Accelerator(100, 20).work)
    assert batch.size == 16
    assert progress.lines == [
        "Out of memory with 32 slices at once; going on with 16 (--batch-size 16 avoids the try)."
    ]


def test_a_unit_that_does_not_fit_by_itself_is_an_error_that_says_what_to_do():
    with pytest.raises(BadInput, match="--precision bf16"):
        BatchSize(8, "slices", Control()).run(3, Accelerator(3, 0).work)


def test_a_wish_to_stop_is_heard_between_batches():
    flag, done = StopFlag(), []

    def work(part):
        done.append(part)
        flag.reason = "SIGTERM"

    with pytest.raises(Stopped):
        BatchSize(4, "slices", Control(stop=flag)).run(12, work)
    assert done == [slice(0, 4)]
