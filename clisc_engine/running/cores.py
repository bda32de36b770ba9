"""How many processors this process may use: its container's share can be smaller than what it sees.

Docker, Kubernetes and batch systems may limit a process by a quota of its control group. The machine still
shows all of its processors, PyTorch starts a thread for each, and threads that wait for each other spend
the quota on waiting. Sources: cgroups(7); "CPU Interface Files" of the kernel's page on cgroup v2, and its
page on CFS bandwidth control for v1.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
THREADS = "OMP_NUM_THREADS"
"""What users set, and PyTorch reads when it is loaded."""


def seen_cores() -> int:
    """Processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usable_cores(cgroups: Path = CGROUPS, own: Path = OWN) -> int:
    """Processors that this process may keep busy at a time, 1 at least.

    Args:
        cgroups: where control groups are mounted.
        own: the file that names this process's.
    """
    share = min(_quotas(cgroups, own), default=math.inf)
    seen = seen_cores()
    return seen if share >= seen else max(1, math.ceil(share))


def fit_threads() -> None:
    """Have PyTorch take no more threads than there are usable processors; what the user set stays.

    It changes the whole process, so a program calls it, not a library.
    """
    if THREADS in os.environ or (cores := usable_cores()) == seen_cores():
        return
    os.environ[THREADS] = str(cores)
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(min(cores, torch.get_num_threads()))


def _quotas(cgroups: Path, own: Path) -> Iterator[float]:
    """The quotas of this process's control groups and of those above, in processors."""
    for line in _text(own).splitlines():
        _, controllers, group = line.split(":", 2)
        if not controllers:
            for folder in (*_upwards(cgroups, group), *_upwards(cgroups / "unified", group)):
                yield from _quota(_text(folder / "cpu.max").split())
        elif "cpu" in controllers.split(","):
            for folder in (*_upwards(cgroups / controllers, group), *_upwards(cgroups / "cpu", group)):
                files = "cpu.cfs_quota_us", "cpu.cfs_period_us"
                yield from _quota([_text(folder / name).strip() for name in files])


def _quota(numbers: list[str]) -> Iterator[float]:
    """Microseconds in a period, and those of the period; ``max`` or -1 is no limit."""
    with suppress(ValueError, ZeroDivisionError):
        quota, period = map(float, numbers)
        if quota > 0:
            yield quota / period


def _upwards(mounted: Path, group: str) -> Iterator[Path]:
    """A group's folder and those above it; in a container the uppermost may be the group's own."""
    inner = mounted / group.strip("/")
    yield from (folder for folder in (inner, *inner.parents) if folder.is_relative_to(mounted))


def _text(file: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return file.read_text(encoding="utf-8")
    return ""
