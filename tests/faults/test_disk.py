"""A disk that fails stops the command with the path and advice, and loses nothing that was finished."""

import errno
import os
from contextlib import contextmanager

import pytest

from clisc_engine.project.project import open_project
from tests.support.small import contents, differing


@contextmanager
def failing_after(monkeypatch, syncs, code):
    """Let the disk fail for good after so many files have reached it."""
    real, left = os.fsync, [syncs]

    def fsync(descriptor):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(code, os.strerror(code))
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield


@pytest.mark.parametrize(
    ("code", "advice"), [(errno.ENOSPC, "Free some space"), (errno.EROFS, "Make that folder writable")]
)
def test_a_disk_that_takes_no_more_keeps_what_was_finished(
    clisc, root, finished, monkeypatch, code, advice
):
    with failing_after(monkeypatch, 12, code):
        shown = clisc("label", root, "--force", "--device", "cpu")
    assert shown.code == 3 and advice in shown.message and str(root) in shown.message
    assert clisc("verify", root).code == 0
    assert differing(contents(finished), contents(open_project(root))) == []


def test_a_file_in_the_place_of_a_folder_is_named(clisc, fresh):
    (fresh / "store.zarr/cases/p0/labels").write_text("", encoding="utf-8")
    shown = clisc("label", fresh, "--device", "cpu")
    assert shown.code == 3 and "p0/labels" in shown.message


def test_a_full_disk_is_no_fault_of_the_images(clisc, data, tmp_path, monkeypatch):
    """--skip-bad leaves out bad files; it does not take what does not fit for bad."""
    command = ("init", tmp_path / "p", "--images", data / "images", "--weights", "tiny", "--skip-bad")
    with failing_after(monkeypatch, 12, errno.ENOSPC):
        shown = clisc(*command)
    assert shown.code == 3 and "Free some space" in shown.message and "skipped" not in shown.message
    again = clisc(*command, "--json", "--quiet")
    assert again.code == 0 and '"skipped": {}' in again.out


def test_a_repair_that_a_full_disk_ends_says_so(clisc, root, monkeypatch):
    image = root / "store.zarr/cases/p1/image"
    shard = next(path for path in (image / "c").rglob("*") if path.is_file())
    shard.write_bytes(shard.read_bytes()[:-40])
    with failing_after(monkeypatch, 1, errno.ENOSPC):
        shown = clisc("verify", root, "--repair")
    assert shown.code == 3 and "Free some space" in shown.message and "p1/image" in shown.message
    assert clisc("verify", root, "--repair").code == 0 and clisc("verify", root).code == 0
