"""A disk that fails stops the command with the path and advice, and loses nothing that was finished."""

import errno
import os

import pytest
from small import contents, differing

from clisc_engine.project import open_project


@pytest.mark.parametrize(
    ("code", "advice"), [(errno.ENOSPC, "Free some space"), (errno.EROFS, "Make that folder writable")]
)
def test_a_disk_that_takes_no_more_keeps_what_was_finished(
    clisc, root, finished, monkeypatch, code, advice
):
    real, left = os.fsync, [12]

    def fsync(descriptor):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(code, os.strerror(code))
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        shown = clisc("label", root, "--force", "--device", "cpu")
    assert shown.code == 3 and advice in shown.message and str(root) in shown.message
    assert clisc("verify", root).code == 0
    assert differing(contents(finished), contents(open_project(root))) == []


def test_a_file_in_the_place_of_a_folder_is_named(clisc, fresh):
    (fresh / "store.zarr/cases/p0/labels").write_text("", encoding="utf-8")
    shown = clisc("label", fresh, "--device", "cpu")
    assert shown.code == 3 and "p0/labels" in shown.message
