"""Which epochs of a training are saved: all but those that saving would hold up for too long."""

import pytest

from clisc_engine.errors import Stopped
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.running.control import Control, Silent, StopFlag
from clisc_engine.training import loop
from clisc_engine.training import state as training_state
from clisc_engine.training.loop import fit
from tests.support.small_training import STEPS, Work, same


class Clock:
    """It moves on by a second a step, and by so many seconds a save."""

    def __init__(self):
        self.seconds, self.of_a_save, self.saved = 0.0, 0.0, []


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(training_state.time, "monotonic", lambda: clock.seconds)
    return clock


def timed_work(folder, clock, epochs, after=None):
    class Timed(Checkpoint):
        def save_state(self, state):
            super().save_state(state)
            clock.seconds += clock.of_a_save
            clock.saved.append(state["epoch"])

    def step(taken):
        clock.seconds += 1.0
        if after:
            after(taken)

    work = Work(folder, epochs=epochs, after=step)
    work.checkpoint = Timed(work.checkpoint.folder, work.checkpoint.name)
    return work


def test_each_epoch_is_saved_where_saving_is_quick(tmp_path, clock):
    clock.of_a_save = training_state.SHARE * STEPS * 0.9
    timed_work(tmp_path, clock, 6).run()
    assert clock.saved == [1, 2, 3, 4, 5, 6]


def test_saving_takes_no_more_than_its_share(tmp_path, clock):
    """A save takes what it may in three epochs; the first one tells so, the last one is always saved."""
    clock.of_a_save = training_state.SHARE * STEPS * 2.9
    timed_work(tmp_path, clock, 12).run()
    assert clock.saved == [1, 4, 7, 10, 12]


def test_killed_it_goes_on_after_the_last_saved_epoch(tmp_path, clock):
    clock.of_a_save = training_state.SHARE * STEPS * 2.9

    def kill(taken):
        if taken == 6 * STEPS + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        timed_work(tmp_path / "killed", clock, 8, kill).run()
    work = timed_work(tmp_path / "killed", clock, 8)
    assert "goes on after epoch 4" in work.run()[0]
    assert work.taken == 4 * STEPS
    whole = timed_work(tmp_path / "whole", clock, 8)
    whole.run()
    assert same(work.result(), whole.result())


def test_a_stop_between_two_epochs_loses_none(tmp_path, clock):
    clock.of_a_save = training_state.SHARE * STEPS * 2.9
    flag = StopFlag()

    class Stops(Silent):
        epochs = 0

        def advance(self, note=""):
            self.epochs += 1
            if self.epochs == 3:
                flag.reason = "SIGTERM"

    work = timed_work(tmp_path, clock, 8)
    with pytest.raises(Stopped):
        fit(work.training, work.checkpoint, work.curve, Control(progress=Stops(), stop=flag))
    assert clock.saved == [1, 3]
    again = timed_work(tmp_path, clock, 8)
    assert "goes on after epoch 3" in again.run()[0]
    assert again.taken == 5 * STEPS


def test_a_stop_before_the_first_step_leaves_no_state(tmp_path, clock):
    work = timed_work(tmp_path, clock, 8)
    flag = StopFlag()
    flag.reason = "SIGTERM"
    with pytest.raises(Stopped):
        work.run(flag)
    assert clock.saved == [] and not work.checkpoint.state.exists()


@pytest.mark.parametrize("epoch", [2, 3])
def test_killed_between_state_and_curve_the_curve_is_made_good(tmp_path, undisturbed, monkeypatch, epoch):
    """Also after the last epoch, when nothing is left to train."""
    written, write = [], loop._write_curve

    def kill(*arguments):
        written.append(arguments)
        if len(written) == epoch:
            raise KeyboardInterrupt
        write(*arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "_write_curve", kill)
        Work(tmp_path, save_every=1e-9).run()
    work = Work(tmp_path)
    work.run()
    assert same(work.result(), undisturbed)


def test_a_curve_that_is_ahead_of_the_state_is_cut_to_it(tmp_path):
    """Killed after epochs that were not saved, and then asked for no more epochs than were."""
    work = Work(tmp_path, decay=False, epochs=2)
    work.run()
    lines = work.curve.read_text(encoding="utf-8").splitlines()
    work.curve.write_text("\n".join([*lines, lines[-1]]) + "\n", encoding="utf-8")
    work.checkpoint.weights.unlink()
    Work(tmp_path, decay=False, epochs=2).run()
    assert len(work.result()[1]) == 2
