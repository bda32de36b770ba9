"""A run that hears that its lock went to another command writes nothing more into the project."""

import threading

import numpy as np
import pytest

from clisc_engine.errors import Stopped
from clisc_engine.project.lock import LOST_LOCK
from clisc_engine.project.project import open_project
from clisc_engine.project.store import Seal
from clisc_engine.running import journal
from clisc_engine.running.control import Control, StopFlag
from clisc_engine.stages.pipeline import run_evaluation, run_stage
from tests.support.struck import strike


def files(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


class Losing:
    """A control whose lock is lost when `lose` is called; then notes what the project holds."""

    def __init__(self, root):
        self.root, self.flag, self.before = root, StopFlag(), {}
        self.control = Control(device="cpu", force=True, stop=self.flag)

    def lose(self):
        self.before = self.before or files(self.root)
        self.flag.reason = LOST_LOCK

    def has_written(self):
        assert self.before, "the lock was never lost"
        return [path for path, data in files(self.root).items() if self.before.get(path) != data] + [
            path for path in self.before if not path.exists()
        ]


def test_no_array_and_no_line_in_the_journal(fresh, monkeypatch):
    project, losing = open_project(fresh), Losing(fresh)
    strike(monkeypatch, project, "p1", losing.lose)
    with pytest.raises(Stopped, match=LOST_LOCK):
        run_stage("label", project, losing.control)
    assert project.case("p0").seal("labels/tumour"), "what was finished before is kept"
    assert losing.has_written() == [] and journal.entries(project) == []


@pytest.mark.parametrize("wanted", ["results/s3f.csv", "results/similarities.json"])
def test_no_table_of_self_training(root, monkeypatch, wanted):
    """Lost while the last case's masks are compared."""
    project, losing = open_project(root), Losing(root)
    (root / "results/similarities.json").unlink()
    (root / "results/s3f.csv").unlink()
    read = type(project.case("p2")).read

    def reading(case, array):
        if case.info.name == "p2" and array == "masks/sam-round1":
            losing.lose()
        return read(case, array)

    monkeypatch.setattr(type(project.case("p2")), "read", reading)
    with pytest.raises(Stopped, match=LOST_LOCK):
        run_stage("self-train", project, Control(device="cpu", stop=losing.flag))
    assert losing.has_written() == [] and not (root / wanted).exists()


def test_no_table_of_an_evaluation(root, monkeypatch):
    project, losing = open_project(root), Losing(root)
    run_evaluation(project, Control(device="cpu"))
    references = type(project.references)
    read = references.read

    def reading(door, info):
        losing.lose()
        return read(door, info)

    monkeypatch.setattr(references, "read", reading)
    with pytest.raises(Stopped, match=LOST_LOCK):
        run_evaluation(project, losing.control)
    assert losing.has_written() == []


def test_an_array_under_way_does_not_take_its_place(root):
    """The store asks right before: whichever thread writes, and whatever the stage forgot to ask."""
    project, losing = open_project(root), Losing(root)
    asked = threading.Event()

    def ask():
        if asked.is_set():
            losing.lose()
        asked.set()
        losing.control.check_may_write()

    project.store.check_may_write = ask
    before = files(root)
    seal = Seal.now("test", "", {})
    with pytest.raises(Stopped, match=LOST_LOCK):
        project.case("p0").write("masks/sam", np.zeros((2, 3, 4), np.uint8), seal)
    assert files(root) == before


def test_a_lock_taken_by_another_command_ends_the_writing_of_a_real_one(clisc, fresh, monkeypatch):
    """The lock's watch looks; no test sets the flag here."""
    lock, heard = fresh / ".clisc-lock", threading.Event()
    setter = StopFlag.reason.fset

    def hear(flag, reason):
        setter(flag, reason)
        heard.set()

    def take_over():
        text = lock.read_text(encoding="utf-8")
        token = text.split('"token": "')[1].split('"')[0]
        lock.write_text(text.replace(token, token[::-1]), encoding="utf-8")
        assert heard.wait(60)

    monkeypatch.setattr("clisc_engine.project.lock.HEARTBEAT_SECONDS", 0.01)
    monkeypatch.setattr(StopFlag, "reason", StopFlag.reason.setter(hear))
    project = open_project(fresh)
    strike(monkeypatch, project, "p0", take_over)
    ended = clisc("label", fresh, "--device", "cpu")
    assert ended.code == 75 and LOST_LOCK in ended.message
    assert [case.info.name for case in project.cases() if case.seal("labels/tumour")] == []
    assert journal.entries(project) == [] and lock.exists()
