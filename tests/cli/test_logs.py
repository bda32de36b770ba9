"""Each run leaves one log with what was said, why cases failed and how it ended."""

import os
import subprocess
import sys

import pytest

from tests.support.small import small_project


@pytest.fixture
def root(data, tmp_path):
    return small_project(tmp_path / "p", data).root


def logs(root):
    return sorted((root / "logs").glob("*.log"))


def test_a_run_leaves_one_log(clisc, root):
    assert clisc("label", root, "--device", "cpu", "--quiet").code == 0
    (log,) = logs(root)
    text = log.read_text(encoding="utf-8")
    assert "-label-" in log.name and f"clisc label {root}" in text
    assert "label: case 5/5 p4" in text and text.rstrip().endswith("done")


def test_a_dry_run_and_a_command_that_is_refused_leave_none(clisc, root):
    assert clisc("label", root, "--dry-run").code == 0
    assert clisc("label", root, "--set", "amda.t=140").code == 3
    assert logs(root) == []


def test_a_failed_case_s_traceback_is_in_the_log_alone(root):
    shard = next(p for p in (root / "store.zarr/cases/p1/image/c").rglob("*") if p.is_file())
    shard.write_bytes(shard.read_bytes()[:-40])
    command = [sys.executable, "-m", "clisc_cli", "label", str(root), "--device", "cpu"]
    shown = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, env=os.environ)
    assert shown.returncode == 5 and "Traceback" not in shown.stderr and "clisc_engine" not in shown.stderr
    (log,) = logs(root)
    text = log.read_text(encoding="utf-8")
    assert "case p1 failed in label" in text and "Traceback" in text
    assert "warning: p1: " in text and "ended by CasesFailed" in text
