"""One owner a folder: a living one keeps its lock, a dead one's is taken over by exactly one heir."""

import errno
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from clisc_engine.errors import BadInput
from clisc_engine.project.lock import LOCK, Lock, hold
from clisc_engine.project.lock_owner import DEAD_AFTER_SECONDS, Owner

ELSEWHERE = {"machine": "another boot", "host": "node7"}


@pytest.fixture(params=["hard links", "no hard links"])
def file_system(request, monkeypatch):
    """Some file systems know no hard links; the lock must do without them, and without flock."""
    if request.param == "no hard links":

        def refuse(self, target):
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(Path, "hardlink_to", refuse)


@pytest.fixture
def dead():
    """An owner whose process has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return replace(Owner.this_process("clisc amda"), pid=process.pid)


def silent_for(folder, seconds):
    """Let a lock's last sign of life lie back."""
    then = (folder / LOCK).stat().st_mtime - seconds
    os.utime(folder / LOCK, (then, then))


@pytest.mark.usefixtures("file_system")
def test_the_second_is_told_who_holds_it(tmp_path):
    first = Lock(tmp_path, Owner.this_process("clisc cam"))
    assert first.acquire() is None
    with pytest.raises(BadInput, match=rf"`clisc cam` \(process {os.getpid()} on .*Wait") as error:
        Lock(tmp_path, Owner.this_process("clisc label")).acquire()
    assert error.value.exit_code == 3
    first.release()
    assert list(tmp_path.iterdir()) == []
    assert Lock(tmp_path, Owner.this_process("clisc label")).acquire() is None


@pytest.mark.usefixtures("file_system")
def test_a_dead_process_s_lock_is_taken_over(tmp_path, dead):
    Lock(tmp_path, dead).acquire()
    assert Lock(tmp_path, Owner.this_process("clisc cam")).acquire() == dead
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]


def test_a_killed_process_that_nobody_has_waited_for_is_dead(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    zombie = replace(Owner.this_process("clisc cam"), pid=process.pid)
    Lock(tmp_path, zombie).acquire()
    assert Lock(tmp_path, Owner.this_process("clisc cam")).acquire() == zombie
    process.wait()


def test_a_process_that_got_the_dead_one_s_number_is_not_taken_for_it(tmp_path):
    owner = replace(Owner.this_process("clisc cam"), started="1")
    Lock(tmp_path, owner).acquire()
    assert Lock(tmp_path, Owner.this_process("clisc label")).acquire() == owner


@pytest.mark.usefixtures("file_system")
def test_an_owner_elsewhere_lives_by_its_signs_of_life(tmp_path):
    owner = replace(Owner.this_process("clisc train"), **ELSEWHERE)
    Lock(tmp_path, owner).acquire()
    silent_for(tmp_path, DEAD_AFTER_SECONDS - 30)
    with pytest.raises(BadInput, match="node7"):
        Lock(tmp_path, Owner.this_process("clisc label")).acquire()
    silent_for(tmp_path, DEAD_AFTER_SECONDS)
    assert Lock(tmp_path, Owner.this_process("clisc label")).acquire() == owner


def test_signs_of_life_are_renewed(tmp_path):
    lock = Lock(tmp_path, replace(Owner.this_process("clisc train"), **ELSEWHERE))
    lock.acquire()
    silent_for(tmp_path, 10 * DEAD_AFTER_SECONDS)
    assert lock.renew()
    with pytest.raises(BadInput, match="clisc train"):
        Lock(tmp_path, Owner.this_process("clisc label")).acquire()


@pytest.mark.parametrize("text", ["", '{"token": "a', "null", "[]", '{"token": "a"}'])
def test_a_half_written_lock_counts_as_taken_until_it_is_old(tmp_path, text):
    (tmp_path / LOCK).write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match="an unknown command"):
        Lock(tmp_path, Owner.this_process("clisc label")).acquire()
    silent_for(tmp_path, 2 * DEAD_AFTER_SECONDS)
    assert Lock(tmp_path, Owner.this_process("clisc label")).acquire() is not None


@pytest.mark.usefixtures("file_system")
def test_of_many_heirs_one_inherits(tmp_path, dead):
    for round_ in range(30):
        folder = tmp_path / str(round_)
        folder.mkdir()
        if round_ % 2:
            Lock(folder, dead).acquire()
        barrier, winners, refused = threading.Barrier(8), [], []

        def compete(folder=folder, barrier=barrier, winners=winners, refused=refused):
            lock = Lock(folder, Owner.this_process("clisc cam"))
            barrier.wait()
            try:
                lock.acquire()
                winners.append(lock)
            except BadInput:
                refused.append(lock)

        threads = [threading.Thread(target=compete) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(winners), len(refused)) == (1, 7)
        assert winners[0].renew()


def test_an_heir_that_died_while_taking_over_is_succeeded(tmp_path, dead):
    Lock(tmp_path, dead).acquire()
    heir = replace(dead, token="heir")
    (tmp_path / "aside").mkdir()
    Lock(tmp_path / "aside", heir).acquire()
    (tmp_path / "aside" / LOCK).replace(tmp_path / f"{LOCK}.after-{dead.token}")
    (tmp_path / "aside").rmdir()
    assert Lock(tmp_path, Owner.this_process("clisc cam")).acquire() == dead
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]


def test_whoever_lost_its_lock_notices_and_leaves_the_new_owner_s_alone(tmp_path):
    sleeper = Lock(tmp_path, replace(Owner.this_process("clisc train"), **ELSEWHERE))
    sleeper.acquire()
    silent_for(tmp_path, 2 * DEAD_AFTER_SECONDS)
    heir = Lock(tmp_path, Owner.this_process("clisc label"))
    heir.acquire()
    assert not sleeper.renew()
    sleeper.release()
    assert heir.renew()


def test_a_folder_made_for_the_lock_goes_with_it_unless_something_was_put_there(tmp_path):
    said = []
    for name, kept in (("empty", False), ("full", True)):
        with hold(tmp_path / name, "clisc init", say=said.append, lost=said.append):
            assert (tmp_path / name / LOCK).exists()
            if kept:
                (tmp_path / name / "clisc.toml").touch()
        assert (tmp_path / name).exists() == kept
    assert said == [] and not (tmp_path / "full" / LOCK).exists()


def test_what_a_dead_owner_was_writing_goes_with_it(tmp_path, dead):
    Lock(tmp_path, dead).acquire()
    half = [tmp_path / "a" / ".zarr.json.1.partial", tmp_path / "a" / ".mask.1.partial" / ".b.partial"]
    whole = tmp_path / "a" / "zarr.json"
    for path in (*half, whole):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    said = []
    with hold(tmp_path, "clisc cam", say=said.append, lost=said.append):
        assert [path.name for path in (tmp_path / "a").iterdir()] == ["zarr.json"]
    assert len(said) == 1 and "`clisc amda`" in said[0]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(BadInput, match=r"Cannot write the project folder .*file/p"),
        hold(tmp_path / "file" / "p", "clisc init", say=print, lost=print),
    ):
        pass
