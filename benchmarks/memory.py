"""Peak memory of inference stages over few and many cases: it must not grow with their number."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.projects import add, brain_box, project_of
from benchmarks.volumes import brain

SHAPE = (96, 200, 180)
FEW, MANY = 4, 32


@dataclass(frozen=True)
class Memory:
    """Peak memory of one stage in GB, over few and over many cases."""

    stage: str
    few: float
    many: float

    @property
    def growth(self) -> float:
        """How many times more with many cases."""
        return self.many / self.few


def inference() -> list[Memory]:
    """``label`` and ``prompt-sam`` with the tiny models, as commands of their own."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "project"
        volumes = [brain(SHAPE, seed=100 + index) for index in range(FEW)]
        repeated = [volumes[index % FEW] for index in range(MANY)]
        project = project_of(root, [image for image, _ in repeated], {}, "tiny")
        for case, (image, lesion) in zip(project.cases(), repeated, strict=True):
            add(case, "cams/amda", lesion[brain_box(image)] * 255)
        first = ",".join(case.info.name for case in project.cases()[:FEW])
        return [
            Memory(
                stage,
                command_gb(stage, str(root), "--cases", first),
                command_gb(stage, str(root), "--force"),
            )
            for stage in ("label", "prompt-sam")
        ]


def command_gb(*arguments: str) -> float:
    """Largest resident memory of one ``clisc`` command in GB."""
    command = [sys.executable, "-m", "clisc_cli", *arguments, "--device", "cpu", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with status {status}")
    return usage.ru_maxrss / 1e6
