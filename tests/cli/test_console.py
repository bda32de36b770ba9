"""Lines of progress in a batch log: the time left is told by the pace of the work, without its start."""

import re

import pytest

from clisc_cli.console import Terminal


@pytest.fixture
def work(monkeypatch, capsys):
    """Units that take so many seconds each; the lines that are printed."""

    def lines(*seconds, done=0):
        now = [100.0]
        monkeypatch.setattr("clisc_cli.console.time.monotonic", lambda: now[0])
        terminal = Terminal(quiet=False)
        terminal.begin("unet-round1", done + len(seconds), "epoch", done)
        for taken in seconds:
            now[0] += taken
            terminal.advance("loss 0.5")
        terminal.end()
        return capsys.readouterr().err.splitlines()

    return lines


def test_the_first_unit_holds_the_start_and_does_not_count_for_the_others(work):
    begun, first, second, third, last = work(48, 5, 5, 5)
    assert begun == "unet-round1: 4 epochs to train"
    assert first == "unet-round1: epoch 1/4 loss 0.5 (48 s, at most about 2 min 24 s left)"
    assert second == "unet-round1: epoch 2/4 loss 0.5 (53 s, about 10 s left)"
    assert third == "unet-round1: epoch 3/4 loss 0.5 (58 s, about 5 s left)"
    assert last == "unet-round1: epoch 4/4 loss 0.5 (1 min 03 s)"


def test_work_that_goes_on_is_counted_from_where_it_was(work):
    """Its first unit may be the rest of one, so nothing is said to take that long at most."""
    begun, first, second, last = work(20, 5, 5, done=6)
    assert begun == "unet-round1: 3 of 9 epochs to train"
    assert first == "unet-round1: epoch 7/9 loss 0.5 (20 s, about 40 s left)"
    assert second == "unet-round1: epoch 8/9 loss 0.5 (25 s, about 5 s left)"
    assert last == "unet-round1: epoch 9/9 loss 0.5 (30 s)"


def test_long_work_takes_about_twenty_lines_and_the_last(work):
    _, *lines = work(*[1.0] * 205)
    assert 22 <= len(lines) <= 24 and "205/205" in lines[-1]
    assert "1/205" in lines[0] and "2/205" in lines[1]
    assert all(re.search(r"about (\d+ s|\d min \d\d s) left", line) for line in lines[:-1])
