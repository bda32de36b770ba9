"""Several processes that share one command."""

import itertools
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import ENVIRONMENT, program
from tests.support.ranks_of_srun import variables

STEPS = itertools.count()


@dataclass(frozen=True)
class Ended:
    """How the ranks of one command ended."""

    codes: list
    outputs: list

    @property
    def message(self):
        """What rank 0 said, on one line."""
        return " ".join(self.outputs[0].split())

    @property
    def document(self):
        """The JSON that rank 0 printed, after what it said."""
        return json.loads(self.outputs[0][self.outputs[0].index("{\n") :])


class Cluster:
    """Starts commands in several processes, with srun's variables."""

    def __init__(self, folder):
        self.folder = folder
        self.process = subprocess.Popen(
            program("rank_launcher"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env=ENVIRONMENT,
        )

    def run(self, *arguments, ranks=2, moments=None, program=None):
        """Run a command; ``moments`` says at which disk operation a rank gets which signal."""
        step = next(STEPS)
        orders = []
        for rank in range(ranks):
            order = {
                "arguments": [str(argument) for argument in arguments],
                "environment": variables(rank, ranks, step),
                "folder": str(arguments[1]) if len(arguments) > 1 else "/nowhere",
                "output": str(self.folder / f"{step}-rank{rank}.txt"),
                **(moments or {}).get(rank, {}),
            }
            orders.append({**order, "program": str(program)} if program else order)
        self.process.stdin.write(json.dumps({"ranks": orders}) + "\n")
        self.process.stdin.flush()
        codes = json.loads(self.process.stdout.readline())
        texts = [Path(o["output"]).read_text(encoding="utf-8", errors="replace") for o in orders]
        return Ended(codes, texts)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.close()
