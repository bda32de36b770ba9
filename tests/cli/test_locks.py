"""Every command that writes holds the project; what only looks does not."""

from dataclasses import replace

import pytest

from clisc_engine.project.lock import LOCK, Lock
from clisc_engine.project.lock_owner import Owner
from tests.support.small import STAGES, small_project


@pytest.fixture
def held(data, tmp_path):
    """A project that another command, still running, holds."""
    root = small_project(tmp_path / "p", data).root
    lock = Lock(root, Owner.this_process("clisc busy"))
    lock.acquire()
    yield root
    lock.release()


def test_commands_that_write_are_told_who_is_at_work(clisc, held, data):
    for arguments in [
        *([stage, held] for stage in [*STAGES, "evaluate", "run"]),
        ["config", "set", held, "amda.t=11"],
        ["export", "masks", held, "-o", held.parent / "masks"],
        ["init", held, "--images", data / "images"],
    ]:
        shown = clisc(*arguments)
        assert shown.code == 3 and "`clisc busy` (process" in " ".join(shown.err.split()), arguments


def test_settings_of_a_held_project_stay_as_they_are(clisc, held):
    before = (held / "clisc.toml").read_bytes()
    assert clisc("label", held, "--set", "amda.t=11").code == 3
    assert clisc("config", "set", held, "amda.t=11").code == 3
    assert (held / "clisc.toml").read_bytes() == before


def test_a_dry_run_takes_no_lock(clisc, held):
    shown = clisc("label", held, "--dry-run")
    assert shown.code == 0 and "5 to do" in shown.out


def test_what_only_looks_takes_no_lock(clisc, held):
    for arguments in (
        *(["status", held], ["config", "show", held], ["run", held, "--dry-run"]),
        *(["show", held, "p0"], ["report", held, "--viewers", 1]),
    ):
        assert clisc(*arguments).code == 0, arguments


def test_a_dead_owner_s_lock_is_taken_over_and_given_back(clisc, data, tmp_path):
    root = small_project(tmp_path / "p", data).root
    Lock(root, replace(Owner.this_process("clisc amda"), started="1")).acquire()
    shown = clisc("label", root, "--device", "cpu")
    assert shown.code == 0 and "Took over the lock of `clisc amda`" in " ".join(shown.err.split())
    assert not (root / LOCK).exists()


def test_an_error_gives_the_lock_back(clisc, data, tmp_path):
    root = small_project(tmp_path / "p", data).root
    assert clisc("cam", root).code == 4
    assert not list(root.glob(f"{LOCK}*"))
