"""TensorBoard reads a training's curve back: each epoch once, however often the training was left."""

import csv

import pytest

from tests.support.small_training import EPOCHS, STEPS, Work

pytest.importorskip("tensorboard")
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from clisc_engine.errors import Stopped
from clisc_engine.running.control import StopFlag


def points(folder):
    """The scalars that TensorBoard shows of a folder: {name: [(epoch, value), ...]}."""
    read = EventAccumulator(str(folder / "tensorboard" / "net")).Reload()
    return {
        name: [(event.step, pytest.approx(event.value, rel=1e-5)) for event in read.Scalars(name)]
        for name in read.Tags()["scalars"]
    }


def curve(work):
    with work.curve.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {
        name: [(int(row["epoch"]), float(row[name])) for row in rows]
        for name in ("loss", "learning_rate", "score")
    }


def test_the_events_are_the_curve(tmp_path):
    work = Work(tmp_path)
    work.run()
    assert points(tmp_path) == curve(work) and len(curve(work)["loss"]) == EPOCHS


def test_a_training_that_was_left_shows_no_epoch_twice(tmp_path):
    flag = StopFlag()

    def stop(taken):
        if taken == STEPS + 2:
            flag.reason = "SIGTERM"

    with pytest.raises(Stopped):
        Work(tmp_path, after=stop).run(flag)
    assert [step for step, _ in points(tmp_path)["loss"]] == [1]
    work = Work(tmp_path)
    work.run()
    assert points(tmp_path) == curve(work)


def test_a_training_that_begins_anew_leaves_nothing_of_the_former(tmp_path):
    Work(tmp_path).run()
    shorter = Work(tmp_path, epochs=EPOCHS - 1)
    shorter.run()
    assert points(tmp_path) == curve(shorter) and len(curve(shorter)["loss"]) == EPOCHS - 1


def test_events_that_cannot_be_written_are_told_once_and_end_no_training(tmp_path, capfd):
    (tmp_path / "tensorboard").write_text("a file in the place of the folder", encoding="utf-8")
    work = Work(tmp_path)
    lines = work.run()
    assert len(curve(work)["loss"]) == EPOCHS and work.checkpoint.fingerprint()
    (line,) = [line for line in lines if "TensorBoard" in line]
    assert str(tmp_path / "tensorboard" / "net") in line and str(work.curve) in line
    assert capfd.readouterr() == ("", "")
