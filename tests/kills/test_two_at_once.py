"""A command started while another is at work on the same project."""

import pytest

from clisc_engine.project.lock import LOCK


@pytest.mark.parametrize(("first", "second"), [("label", "label"), ("cam", "label"), ("init", "init")])
def test_the_second_is_told_and_the_first_ends_undisturbed(undisturbed, tmp_path, first, second):
    root = tmp_path / "project"
    undisturbed.start(first, root)
    standing = undisturbed.run(first, root, at=undisturbed.operations[first] // 2, signal="SIGSTOP")
    assert standing.code is None
    refused = undisturbed.run(second, root)
    said = " ".join(refused.output.split())
    assert refused.code == 3 and f"`clisc {first}` (process {standing.pid}" in said
    ended = undisturbed.launcher.go_on(standing.pid)
    assert ended.code == 0 and not (root / LOCK).exists()
    assert undisturbed.differing(first, root) == []


def test_a_killed_command_s_lock_is_taken_over_with_a_line(undisturbed, tmp_path):
    root = tmp_path / "project"
    undisturbed.start("label", root)
    killed = undisturbed.run("label", root, at=undisturbed.operations["label"] // 2, signal="SIGKILL")
    again = undisturbed.run("label", root)
    assert f"Took over the lock of `clisc label` (process {killed.pid}" in " ".join(again.output.split())
    assert again.code == 0
