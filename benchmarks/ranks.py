"""Two ranks of one thread each against one rank of two threads, on the stages that share cases.

    python benchmarks/ranks.py FOLDER [--cases 8] [--repeats 3]

Makes a project of phantoms in FOLDER with the tiny models, then repeats each stage in turn with one rank
and with two, and prints the stages' own seconds (without imports and start-up), their ratio, and whether
the arrays are the same to the bit, as JSON. One rank with one thread is there too: two ranks are compared
to the bit with it, since sums depend on the number of threads.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from clisc_engine.importing.demo import make_data_set
from clisc_engine.project.project import Project, open_project
from clisc_engine.running.control import Control
from clisc_engine.settings.keys import with_changes
from clisc_engine.settings.presets import preset
from clisc_engine.stages.init import Request, initialise

STAGES = {"label": "labels/probability", "prompt-sam": "masks/sam"}
LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
WAYS = {"one rank, one thread": (1, 1), "one rank, two threads": (1, 2), "two ranks": (2, 1)}


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    project = prepared(chosen.folder, chosen.cases)
    found = {stage: compared(project, stage, array, chosen.repeats) for stage, array in STAGES.items()}
    print(json.dumps(found, indent=1))


def prepared(folder: Path, cases: int) -> Project:
    """A project on which every timed stage can run."""
    if not (folder / "project" / "clisc.toml").exists():
        data = make_data_set(folder / "data", seed=0, cases=cases, control=Control())
        request = Request(folder / "project", str(data / "images"), None, None, "7:1:2", False)
        epochs = {"classifier.epochs": 1, "classifier.slices_per_epoch": 64}
        initialise(request, with_changes(preset("tiny"), epochs, "here"), Control())
    project = open_project(folder / "project")
    for stage in ("label", "cam", "amda"):
        seconds(project, stage, 1, 2)
    return project


def compared(project: Project, stage: str, array: str, repeats: int) -> dict[str, object]:
    """Seconds of a stage in each way, in turn, and the ratio of two ranks to one with both cores."""
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    results: dict[str, list[bytes]] = {}
    for _ in range(repeats):
        for way, (ranks, threads) in WAYS.items():
            times[way].append(seconds(project, stage, ranks, threads, "--force"))
            results[way] = [case.read(array).tobytes() for case in project.cases()]
    pairs = zip(times["two ranks"], times["one rank, two threads"], strict=True)
    return {
        "seconds": times,
        "ratio of two ranks to one": round(statistics.median(two / one for two, one in pairs), 3),
        "same to the bit": results["two ranks"] == results["one rank, one thread"],
    }


def seconds(project: Project, stage: str, ranks: int, threads: int, *options: str) -> float:
    """What the stage's report says that it took."""
    launcher = LAUNCHER if ranks > 1 else ()
    shown = subprocess.run(
        [sys.executable, *launcher, "-m", "clisc_cli", stage, str(project.root), "--json", *options],
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    return float(json.loads(shown.stdout)["seconds"])


if __name__ == "__main__":
    main()
