"""What calls cost on finished projects of few and of very many cases; the cases' arrays are tiny.

With small arrays it shows what a case costs beside its voxels: records, seals, folders, lines of a table.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.finished import finish, write_volumes
from clisc_engine.project.project import open_project
from clisc_engine.running.control import Control

CASES = (10, 50, 250, 1250)
"""The last is about BraTS 2021's training set."""
DEMO = 19
"""Cases of the project on which a single call is measured."""
STEPS = ("label", "cam", "amda", "prompt-sam", "train", "self-train", "evaluate")
TORCH = "python -c 'import torch'"
"""What other seconds are compared with: it depends on the machine and on what else it does, as they do."""
ROUNDS = 5
TIMED = """
import json, os, subprocess, sys, time
started = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
elapsed, processor = time.perf_counter() - started, usage.ru_utime + usage.ru_stime
print(json.dumps([status, elapsed, processor, usage.ru_maxrss / 1e3]))
"""
"""Runs a command from a small process: what a parent holds at the fork counts for the peak of its child."""


COMPILED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Modules are compiled once, as those of an installed package are, and not by each call anew."""


@dataclass(frozen=True)
class Call:
    """One command, the least of several rounds.

    Attributes:
        command: without the project's folder.
        cases: of the project.
        seconds: by the clock.
        processor: seconds of the processor, the system's part included.
        peak_mb: largest resident memory.
    """

    command: str
    cases: int
    seconds: float
    processor: float
    peak_mb: float


@dataclass(frozen=True)
class Size:
    """A project of so many cases.

    Attributes:
        cases: so many.
        calls: what commands cost on it.
        store_mb: bytes of the store's files.
        disk_mb: what they take on the disk, folders included.
        files: files and folders of the store.
        report_mb: bytes of the HTML report.
    """

    cases: int
    calls: list[Call]
    store_mb: float
    disk_mb: float
    files: int
    report_mb: float


def scale() -> list[Size]:
    """Projects of 10 to 1,250 cases."""
    return [_size(count) for count in CASES]


def calls() -> list[Call]:
    """Calls on a finished project of 19 cases that have nothing to do, and what they are compared with."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = make(folder, DEMO)[0]
        drawn = folder / "drawn.png"
        page = folder / "page.html"
        commands = [
            *((["--help"], None), (["status", str(root)], None)),
            *(([step, str(root)], None) for step in STEPS),
            *((["show", str(root), "case-0000", "-o", str(drawn)], gone) for gone in (None, drawn)),
            *((["report", str(root), "-o", str(page)], gone) for gone in (None, page)),
        ]
        for words, _ in commands:
            measure("", DEMO, _clisc(*words))
        reference = measure(TORCH, DEMO, [sys.executable, "-c", "import torch"], ROUNDS)
        start = measure("python -c pass", DEMO, [sys.executable, "-c", "pass"], ROUNDS)
        found = [
            measure(words[0] + (", drawn anew" if gone else ""), DEMO, _clisc(*words), ROUNDS, gone)
            for words, gone in commands
        ]
        return [reference, start, *found]


def make(folder: Path, count: int) -> tuple[Path, list[Call]]:
    """A finished and evaluated project of so many cases, and what `init` and `evaluate` cost."""
    images, masks = write_volumes(folder / "files", count)
    root = folder / "project"
    init = ["init", str(root), "--images", str(images), "--references", str(masks), "--preset", "tiny"]
    first = measure("init", count, _clisc(*init))
    finish(open_project(root), Control())
    return root, [first, measure("evaluate, at first", count, _clisc("evaluate", str(root)))]


def _size(count: int) -> Size:
    print(f"  {count} cases", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as name:
        root, found = make(Path(name), count)
        found.append(measure(TORCH, count, [sys.executable, "-c", "import torch"], ROUNDS))
        for command in ("status", *STEPS):
            found.append(measure(command, count, _clisc(command, str(root)), ROUNDS))
        for command in ("report", "verify"):
            found.append(measure(command, count, _clisc(command, str(root))))
        files, size, taken = _on_disk(root / "store.zarr")
        report = (root / "results" / "report.html").stat().st_size
        return Size(count, found, size / 1e6, taken / 1e6, files, report / 1e6)


def measure(
    name: str, cases: int, command: Sequence[str], rounds: int = 1, before: Path | None = None
) -> Call:
    """The least seconds of a command; ``before`` is a file that is removed before each round."""
    found = [_once(command, before) for _ in range(rounds)]
    clock, processor, memory = (min(values) for values in zip(*found, strict=True))
    return Call(name, cases, clock, processor, memory)


def _once(command: Sequence[str], before: Path | None) -> tuple[float, float, float]:
    if before is not None:
        before.unlink(missing_ok=True)
    timed = subprocess.run(
        [sys.executable, "-c", TIMED, *command], capture_output=True, encoding="utf-8", env=COMPILED
    )
    status, *values = json.loads(timed.stdout)
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with status {status}: {timed.stderr}")
    elapsed, processor, memory = values
    return elapsed, processor, memory


def _clisc(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "clisc_cli", *arguments]


def _on_disk(folder: Path) -> tuple[int, int, int]:
    """Entries below a folder, bytes of the files, bytes taken on the disk."""
    stats = [(path.is_file(), path.stat()) for path in folder.rglob("*")]
    size = sum(stat.st_size for is_file, stat in stats if is_file)
    return len(stats), size, sum(512 * stat.st_blocks for _, stat in stats)
