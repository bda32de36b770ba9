"""A training left at any step, and gone on with, ends as if it had never been left."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from clisc_engine.errors import BadInput, Stopped, Unreadable
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.project.lock import LOST_LOCK
from clisc_engine.running.control import Control, StopFlag
from clisc_engine.training.loop import fit
from clisc_engine.training.state import why_train
from tests.support.small_training import EPOCHS, STEPS, RecordingProgress, Work, same


@pytest.mark.parametrize("every", [1, 2, 4, 5, 7])
def test_stopped_after_any_number_of_steps_it_goes_on_to_the_same_end(tmp_path, undisturbed, every):
    stops, taken = 0, 0
    while True:
        flag = StopFlag()

        def stop(count, flag=flag):
            if count == every:
                flag.reason = "SIGTERM"

        work = Work(tmp_path, after=stop)
        try:
            work.run(flag)
            break
        except Stopped:
            stops += 1
            taken += work.taken
    taken += work.taken
    assert stops == EPOCHS * STEPS // every
    assert taken == EPOCHS * STEPS, "no step is taken twice"
    assert same(work.result(), undisturbed)


@pytest.mark.parametrize(("save_every", "lost"), [(1e-9, 1), (0.0, 3)])
def test_killed_it_loses_what_came_after_the_last_save(tmp_path, undisturbed, save_every, lost):
    """In the third step of the second epoch; that step itself is always lost."""

    def kill(taken):
        if taken == STEPS + 3:
            raise KeyboardInterrupt

    killed = Work(tmp_path, save_every=save_every, after=kill)
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    work = Work(tmp_path, save_every=save_every)
    work.run()
    assert killed.taken + work.taken == EPOCHS * STEPS + lost
    assert same(work.result(), undisturbed)


def interrupted(folder, taken, **options):
    """A training left after so many steps, saved after each."""

    def kill(count):
        if count == taken + 1:
            raise KeyboardInterrupt

    work = Work(folder, save_every=1e-9, after=kill, **options)
    with pytest.raises(KeyboardInterrupt):
        work.run()
    return work.checkpoint


def test_a_damaged_state_gives_way_to_the_one_before(tmp_path, undisturbed):
    checkpoint = interrupted(tmp_path, 8)
    checkpoint.state.write_bytes(checkpoint.state.read_bytes()[:-100])
    work = Work(tmp_path)
    lines = work.run()
    assert "net.training.pt is damaged" in lines[0] and "goes on after epoch 1 and 2 steps" in lines[1]
    assert same(work.result(), undisturbed)


def test_without_any_whole_state_it_starts_anew_and_keeps_the_damaged_ones(tmp_path, undisturbed):
    checkpoint = interrupted(tmp_path, 8)
    damaged = {checkpoint.state: b"", checkpoint.previous_state: b"PK" * 50}
    for path, data in damaged.items():
        path.write_bytes(data)
    work = Work(tmp_path)
    first, second, third = work.run()
    assert "net.training.pt is damaged" in first and "kept as net.training.pt.damaged" in first
    assert "net.training-before.pt is damaged" in second and "starts anew: no state of it is whole" in third
    assert work.taken == EPOCHS * STEPS and same(work.result(), undisturbed)
    for path, data in damaged.items():
        assert path.with_name(f"{path.name}.damaged").read_bytes() == data


def test_a_damaged_state_never_takes_the_place_of_the_whole_one_before(tmp_path, undisturbed):
    """The run after the damage is killed at its first save, which would put the newest before the rest."""
    checkpoint = interrupted(tmp_path, 8)
    checkpoint.state.write_bytes(b"")

    def kill(path, data):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("clisc_engine.project.checkpoints.write_atomically", kill)
        Work(tmp_path, save_every=1e-9).run()
    work = Work(tmp_path)
    assert "goes on after epoch 1 and 2 steps" in work.run()[0]
    assert same(work.result(), undisturbed)


def test_a_flipped_bit_in_a_state_is_not_trained_on(tmp_path, undisturbed):
    checkpoint = interrupted(tmp_path, 8)
    data = bytearray(checkpoint.state.read_bytes())
    weights = torch.load(checkpoint.state, weights_only=True)["module"]["0.weight"].numpy().tobytes()
    data[data.index(weights) + 2] ^= 64
    checkpoint.state.write_bytes(bytes(data))
    work = Work(tmp_path)
    assert "net.training.pt is damaged (the checksum of" in work.run()[0]
    assert same(work.result(), undisturbed)


def away(code):
    """Reading any training state fails, as when a file server is away or memory is short."""
    real = Path.read_bytes

    def read_bytes(path):
        if ".training" in path.name:
            raise MemoryError if code is None else OSError(code, os.strerror(code), str(path))
        return real(path)

    return read_bytes


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES, errno.ESTALE, errno.ETIMEDOUT, None])
def test_a_state_that_cannot_be_read_now_ends_the_run_and_stays(tmp_path, undisturbed, code):
    checkpoint = interrupted(tmp_path, 8)
    before = {path: path.read_bytes() for path in checkpoint.folder.iterdir()}
    work = Work(tmp_path)
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(Unreadable, match=r"net\.training\.pt") as error,
    ):
        patch.setattr(Path, "read_bytes", away(code))
        work.run()
    assert error.value.exit_code == 3 and work.taken == 0
    assert {path: path.read_bytes() for path in checkpoint.folder.iterdir()} == before
    again = Work(tmp_path)
    again.run()
    assert again.taken == EPOCHS * STEPS - 8 and same(again.result(), undisturbed)


class Half(Work):
    """The same in float16, whose loss is scaled."""

    def run(self, flag=None, force=False):
        control = Control(progress=RecordingProgress(), stop=flag or StopFlag(), precision="16")
        fit(self.training, self.checkpoint, self.curve, control)

    def loss(self, batch):
        return super().loss((batch[0].bfloat16().float(), batch[1])).float() * 2.0**4


@pytest.mark.parametrize("every", [2, STEPS, 7])
def test_float16_s_scaler_is_part_of_the_state(tmp_path, every):
    at_once = Half(tmp_path / "at-once")
    at_once.run()
    while True:
        flag = StopFlag()

        def stop(count, flag=flag):
            if count == every:
                flag.reason = "SIGTERM"

        work = Half(tmp_path / "in-parts", after=stop)
        try:
            work.run(flag)
            break
        except Stopped:
            continue
    assert same(work.result(), at_once.result())


def test_float16_s_scale_is_carried_from_epoch_to_epoch(tmp_path):
    scales = []
    work = Half(tmp_path, save_every=1e-9)
    work.after = lambda taken: (
        taken > 1 and scales.append(torch.load(work.checkpoint.state, weights_only=True)["scaler"]["scale"])
    )
    work.run()
    assert scales[0] < 2.0**16, "the first scale overflows"
    assert scales == sorted(scales, reverse=True), "no epoch begins with the first scale again"


def test_states_of_0_1_0_are_gone_on_with(tmp_path, undisturbed):
    checkpoint = interrupted(tmp_path, 8)
    state = torch.load(checkpoint.state, weights_only=True)
    state["within"]["scaler"] = state.pop("scaler")
    torch.save(state, checkpoint.state)
    work = Work(tmp_path)
    work.run()
    assert work.taken == EPOCHS * STEPS - 8 and same(work.result(), undisturbed)


def test_a_run_that_lost_its_lock_writes_no_state_any_more(tmp_path):
    flag = StopFlag()
    checkpoint = Checkpoint(tmp_path / "checkpoints", "net")
    before = {}

    def lose(taken):
        if taken == 8:
            before.update({path: path.read_bytes() for path in checkpoint.folder.iterdir()})
            flag.reason = LOST_LOCK
            flag.reason = "SIGTERM"  # a signal that comes later does not make the project its own again

    with pytest.raises(Stopped):
        Work(tmp_path, save_every=1e-9, after=lose).run(flag)
    assert before and {path: path.read_bytes() for path in checkpoint.folder.iterdir()} == before


def test_a_kill_between_putting_the_old_state_aside_and_writing_the_new(tmp_path, undisturbed):
    checkpoint = interrupted(tmp_path, 8)
    checkpoint.state.replace(checkpoint.previous_state)
    work = Work(tmp_path)
    work.run()
    assert work.taken == EPOCHS * STEPS - 8 and same(work.result(), undisturbed)


def test_leftovers_of_killed_writes_are_cleared(tmp_path):
    checkpoint = interrupted(tmp_path, 2)
    leftover = checkpoint.folder / ".net.training.pt.123.partial"
    leftover.write_bytes(b"half")
    Work(tmp_path).run()
    assert [path.name for path in checkpoint.folder.iterdir()] == ["net.safetensors"]


def test_a_state_of_another_training_is_not_gone_on_with(tmp_path, undisturbed):
    interrupted(tmp_path, 8, changes={"made_from": {"unet.epochs": str(EPOCHS), "data": "2"}})
    work = Work(tmp_path)
    work.run()
    assert work.taken == EPOCHS * STEPS and same(work.result(), undisturbed)


def test_killed_before_the_weights_are_written_it_only_writes_them(tmp_path, monkeypatch):
    def kill(*_, **__):
        raise KeyboardInterrupt

    work = Work(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("clisc_engine.project.checkpoints.safetensors.torch.save", kill)
        work.run()
    again = Work(tmp_path)
    again.run()
    assert again.taken == 0 and again.checkpoint.weights.exists()


def test_killed_right_after_the_weights_are_written_no_state_is_left(tmp_path, monkeypatch):
    def kill(*_, **__):
        raise KeyboardInterrupt

    work = Work(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoint, "drop_states", kill)
        work.run()
    assert work.checkpoint.previous_state.exists()
    assert why_train(work.checkpoint, work.training.made_from, Control(), extensible=False) == ""
    assert [path.name for path in work.checkpoint.folder.iterdir()] == ["net.safetensors"]


def test_more_epochs_go_on_where_that_is_exact(tmp_path):
    longer = Work(tmp_path / "at-once", epochs=5, decay=False)
    longer.run()
    Work(tmp_path / "in-two", epochs=3, decay=False).run()
    work = Work(tmp_path / "in-two", epochs=5, decay=False)
    assert (
        why_train(work.checkpoint, work.training.made_from, Control(), extensible=True)
        == "unet.epochs 3 -> 5"
    )
    assert "goes on after epoch 3" in work.run()[0]
    assert work.taken == 2 * STEPS
    assert same(work.result(), longer.result())


@pytest.mark.parametrize(
    ("decay", "before", "after", "reason"),
    [
        (True, 2, 4, "the learning rate decays over all epochs"),
        (True, 4, 2, "the learning rate decays over all epochs"),
        (False, 4, 2, "it is past that"),
    ],
)
def test_other_epochs_start_anew_and_say_why(tmp_path, decay, before, after, reason):
    Work(tmp_path, epochs=before, decay=decay).run()
    work = Work(tmp_path, epochs=after, decay=decay)
    (line,) = work.run()
    assert line.startswith(f"net starts anew: unet.epochs {before} -> {after}, ") and reason in line
    assert work.taken == after * STEPS
    fresh = Work(tmp_path / "fresh", epochs=after, decay=decay)
    fresh.run()
    assert same(work.result(), fresh.result())


def test_an_interrupted_training_of_other_settings_starts_anew_and_says_what_changed(tmp_path):
    interrupted(tmp_path, 8)
    work = Work(tmp_path, epochs=4)
    (line,) = work.run()
    assert line == "net starts anew: since it was interrupted after epoch 1, unet.epochs 3 -> 4"
    assert work.taken == 4 * STEPS


def test_a_state_of_0_1_0_of_other_settings_is_told_though_it_does_not_say_of_which(tmp_path):
    interrupted(tmp_path, 8)
    for path in tmp_path.rglob("net.training*.pt"):
        state = torch.load(path, weights_only=True)
        del state["made_from"]
        torch.save(state, path)
    (line,) = Work(tmp_path, epochs=4).run()
    assert line.startswith(
        "net starts anew: since it was interrupted after epoch 1, its settings or inputs"
    )


def test_the_state_of_a_finished_training_is_not_called_interrupted(tmp_path):
    Work(tmp_path, decay=False).run()
    made_from = {"unet.epochs": str(EPOCHS), "data": "2"}
    assert Work(tmp_path, decay=False, changes={"made_from": made_from}).run() == []


def test_force_trains_a_finished_network_anew_and_goes_on_with_an_unfinished_one(tmp_path):
    Work(tmp_path, decay=False).run()
    again = Work(tmp_path, decay=False)
    again.run(force=True)
    assert again.taken == EPOCHS * STEPS
    interrupted(tmp_path / "other", 8, decay=False)
    work = Work(tmp_path / "other", decay=False)
    work.run(force=True)
    assert work.taken == EPOCHS * STEPS - 8


def test_a_stop_while_scoring_keeps_the_epoch_s_steps(tmp_path, undisturbed):
    work = Work(tmp_path)

    def stop():
        raise Stopped("Stopped by SIGTERM")

    work.training = replace(work.training, score=stop)
    with pytest.raises(Stopped):
        work.run()
    again = Work(tmp_path)
    again.run()
    assert again.taken == (EPOCHS - 1) * STEPS and same(again.result(), undisturbed)


def exploding(step):
    def loss(work):
        return lambda batch: work.loss(batch) * (float("nan") if work.taken == step else 1.0)

    return loss


@pytest.mark.parametrize(
    ("step", "parts"),
    [
        (1, ["epoch 1", "first step", "not the cause", "--precision"]),
        (STEPS + 2, ["epoch 2", "unet.learning_rate", "0.05", "extreme"]),
    ],
)
def test_a_loss_that_is_no_number_ends_with_its_cause(tmp_path, step, parts):
    work = Work(tmp_path, save_every=1e-9)
    work.training = replace(work.training, loss=exploding(step)(work))
    with pytest.raises(BadInput) as error:
        work.run()
    assert error.value.exit_code == 3 and all(part in str(error.value) for part in parts)
    state = work.checkpoint.load_state(work.training.identity, print)
    assert state is None or all(torch.isfinite(value).all() for value in state["module"].values())


def test_memory_that_does_not_suffice_names_the_setting(tmp_path):
    def greedy(batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    work = Work(tmp_path, changes={"loss": greedy})
    with pytest.raises(BadInput, match=r"unet.batch_size"):
        work.run()
