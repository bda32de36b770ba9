"""Processors that a process may use: what its control groups allow, of those that it sees."""

import os
import subprocess
import sys

import pytest

from clisc_engine.running import cores
from clisc_engine.running.cores import fit_threads, usable_cores

SEEN = 16


@pytest.fixture(autouse=True)
def sixteen_cores(monkeypatch):
    monkeypatch.setattr(cores, "seen_cores", lambda: SEEN)


def machine(folder, own, files):
    """Where control groups are mounted, and the file that names those of the process."""
    for name, text in files.items():
        (folder / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup" / name).write_text(text + "\n", encoding="utf-8")
    (folder / "own").write_text(own + "\n", encoding="utf-8")
    return folder / "cgroup", folder / "own"


V1 = "9:memory:/docker/ab\n1:cpu,cpuacct:/docker/ab\n0::/"


@pytest.mark.parametrize(
    ("own", "files", "usable"),
    [
        ("0::/", {}, SEEN),
        ("0::/", {"cpu.max": "max 100000"}, SEEN),
        ("0::/", {"cpu.max": "200000 100000"}, 2),
        ("0::/", {"cpu.max": "150000 100000"}, 2),
        ("0::/", {"cpu.max": "10000 100000"}, 1),
        ("0::/", {"cpu.max": "9900000 100000"}, SEEN),
        ("0::/", {"cpu.max": "nonsense"}, SEEN),
        ("0::/slurm/job_7", {"slurm/job_7/cpu.max": "max 100000", "slurm/cpu.max": "400000 100000"}, 4),
        ("0::/slurm/job_7", {"slurm/job_7/cpu.max": "300000 100000", "slurm/cpu.max": "400000 100000"}, 3),
        ("0::/../elsewhere", {"cpu.max": "500000 100000"}, 5),
        (V1, {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, SEEN),
        (V1, {"cpu/cpu.cfs_quota_us": "250000", "cpu/cpu.cfs_period_us": "100000"}, 3),
        (V1, {"cpu/docker/ab/cpu.cfs_quota_us": "50000", "cpu/docker/ab/cpu.cfs_period_us": "25000"}, 2),
        (
            V1,
            {"cpu,cpuacct/cpu.cfs_quota_us": "600000", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
            6,
        ),
    ],
)
def test_the_smallest_quota_counts(tmp_path, own, files, usable):
    assert usable_cores(*machine(tmp_path, own, files)) == usable


def test_without_control_groups_all_that_are_seen_are_usable(tmp_path):
    assert usable_cores(tmp_path / "nothing", tmp_path / "nothing") == SEEN


@pytest.mark.parametrize(("before", "after"), [(None, "3"), ("7", "7")])
def test_threads_fit_the_quota_unless_the_user_set_them(monkeypatch, before, after):
    monkeypatch.setattr(cores, "usable_cores", lambda: 3)
    monkeypatch.setenv(cores.THREADS, before or "1")
    if not before:
        monkeypatch.delenv(cores.THREADS)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    fit_threads()
    assert os.environ[cores.THREADS] == after


def test_without_a_quota_nothing_is_set(monkeypatch):
    monkeypatch.setattr(cores, "usable_cores", lambda: SEEN)
    monkeypatch.delenv(cores.THREADS, raising=False)
    fit_threads()
    assert cores.THREADS not in os.environ


@pytest.mark.parametrize("loaded_before", [True, False])
def test_pytorch_then_takes_so_many_threads(loaded_before):
    """In a process of its own, since threads are the process's."""
    lines = ["import torch"] if loaded_before else []
    lines += [
        "from clisc_engine.running import cores",
        "cores.seen_cores, cores.usable_cores = (lambda: 16), (lambda: 1)",
        "cores.fit_threads()",
        "import torch",
        "print(torch.get_num_threads())",
    ]
    environment = {key: value for key, value in os.environ.items() if key != cores.THREADS}
    told = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "1"
