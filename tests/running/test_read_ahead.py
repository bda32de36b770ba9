"""`--workers`: so many threads read ahead of the case at hand, and every result stays the same."""

import threading

import pytest

from clisc_engine.project.project import CaseArrays
from clisc_engine.running.control import Control
from clisc_engine.running.read_ahead import Ahead, read_ahead
from tests.support.small import STAGES, contents, differing


class Together:
    """The first ``count`` calls wait for each other: fewer threads than that never get past them."""

    def __init__(self, count):
        self.barrier, self.left, self.lock = threading.Barrier(count), count, threading.Lock()
        self.threads = set()

    def __call__(self):
        with self.lock:
            first, self.left = self.left > 0, self.left - 1
        if first:
            self.threads.add(threading.get_ident())
            self.barrier.wait(timeout=100)


@pytest.mark.parametrize("stage", ["label", "cam", "amda", "train", "self-train"])
def test_so_many_threads_read_at_once_and_the_result_is_the_same(copied, monkeypatch, stage):
    before, together, read = contents(copied), Together(3), CaseArrays.read

    def reading(case, array):
        together()
        return read(case, array)

    monkeypatch.setattr(CaseArrays, "read", reading)
    report = STAGES[stage](copied, Control(device="cpu", force=True, workers=3))
    assert report.done and not report.failed
    assert len(together.threads) == 3 and threading.get_ident() not in together.threads
    assert differing(before, contents(copied)) == []


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_no_more_is_read_ahead_than_there_are_workers(workers):
    """What waits for its turn takes memory."""
    begun, items = set(), range(12)
    ahead = read_ahead(map(Ahead, items), lambda item: begun.add(item) or item, Control(workers=workers))
    for position, (item, value) in enumerate(ahead):
        assert item == position == value()
        assert begun <= set(range(position + workers + 1))
    assert begun == set(items)


def test_what_one_item_s_reading_raises_comes_at_its_turn():
    def read(item):
        if item == 1:
            raise ValueError(item)
        return item

    found = list(read_ahead(map(Ahead, range(3)), read, Control(workers=3)))
    assert [item for item, _ in found] == [0, 1, 2] and found[0][1]() == 0 and found[2][1]() == 2
    with pytest.raises(ValueError, match="1"):
        found[1][1]()
