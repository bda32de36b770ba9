"""Kill stages of a small project anywhere, go on, and compare with what nobody disturbed."""

import json
import shutil
import subprocess
import time
from dataclasses import dataclass

import numpy as np

from clisc_engine.project.project import open_project
from tests.support import ENVIRONMENT, program
from tests.support.small import CHANGES, STAGES, contents, differing

ALL_STAGES = ("init", *STAGES, "evaluate")
EVERY_STEP = {"training.save_every_minutes": 1e-9}
"""Trainings save after each step, so that every step is bounded by disk operations."""


@dataclass(frozen=True)
class Ended:
    """How a command ended; ``code`` is None when it stands still."""

    code: int | None
    operations: int
    pid: int
    output: str
    seconds: float


class Launcher:
    """The process that forks commands; see launcher.py. ``by`` is the program that starts it, if any."""

    def __init__(self, folder, by=()):
        self.output = folder / "output.txt"
        self.output.touch()
        self.process = subprocess.Popen(
            [*by, *program("launcher")],
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def run(self, *arguments, folder, **moment):
        texts = [str(argument) for argument in arguments]
        return self._order(arguments=texts, folder=str(folder), output=str(self.output), **moment)

    def imports(self, modules):
        return self._order(modules=sorted(modules))

    def go_on(self, pid):
        return self._order(go_on=pid)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def _order(self, **order):
        started = time.monotonic()
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        output = self.output.read_text(encoding="utf-8", errors="replace")
        return Ended(**answer, output=output, seconds=time.monotonic() - started)


class Undisturbed:
    """A project before and after each stage, and how many disk operations each stage took."""

    def __init__(self, launcher, data, folder):
        self.launcher, self.data, self.folder = launcher, data, folder
        self.operations, self.seconds, self.contents, self.files = {}, {}, {}, {}
        self.modules = set()
        root = folder / "project"
        for stage in ALL_STAGES:
            if root.exists():
                shutil.copytree(root, self.before(stage))
            ended = self.run(stage, root, learn=str(folder / "modules.json"))
            assert ended.code == 0, ended.output
            self.modules |= set(json.loads((folder / "modules.json").read_text(encoding="utf-8")))
            self.operations[stage], self.seconds[stage] = ended.operations, ended.seconds
            self.contents[stage], self.files[stage] = everything(root), files(root)

    def before(self, stage):
        return self.folder / f"before-{stage}"

    def start(self, stage, root):
        """A project at ``root`` on which the stage can run."""
        if root.exists():
            shutil.rmtree(root)
        if stage != "init":
            shutil.copytree(self.before(stage), root)

    def run(self, stage, root, options=(), data=None, launcher=None, **moment):
        data = data or self.data
        arguments = [stage, root, *options]
        if stage != "init":
            arguments += ["--device", "cpu"]
        else:
            arguments += ["--images", data / "images", "--references", data / "references"]
            arguments += ["--split", data / "split.csv", "--weights", "tiny"]
            for key, value in {**CHANGES, **EVERY_STEP}.items():
                arguments += ["--set", f"{key}={json.dumps(value)}"]
        return (launcher or self.launcher).run(*arguments, folder=root, **moment)

    def differing(self, stage, root):
        """Arrays, tensors, tables and files in which the project differs from the undisturbed one."""
        found = differing(self.contents[stage], everything(root))
        return found + sorted(self.files[stage] ^ files(root))


def everything(root):
    """All arrays and tensors of a project, the references too, and its tables."""
    found = contents(open_project(root), skip=())
    for table in sorted((root / "results").glob("*.csv")):
        found[table.name] = np.frombuffer(table.read_bytes(), np.uint8)
    return found


def files(root):
    """The files of a project but for its logs."""
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and path.relative_to(root).parts[0] != "logs"
    }
