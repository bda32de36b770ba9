"""Whether this process is one of several that a launcher started for one command, and which.

torchrun says so by RANK and WORLD_SIZE, srun by SLURM_PROCID and SLURM_STEP_NUM_TASKS. A batch script and
an interactive allocation have SLURM_NTASKS too, though one process runs there: only a step's own number
of tasks counts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from clisc_engine.errors import BadInput

FIRST_PORT, PORTS = 20000, 11987
"""Where the ranks of an srun step meet without $MASTER_PORT: a port that follows from its number, and under
those that Linux gives to outgoing connections (from 32768 on)."""


@dataclass(frozen=True)
class Place:
    """A process's place among those of its command.

    Attributes:
        rank: 0 to ``count`` - 1.
        count: how many processes there are.
        local: its number on this machine, which chooses its GPU.
        host: where rank 0 is met.
        port: there.
        by: torchrun or srun; empty for a process by itself.
    """

    rank: int = 0
    count: int = 1
    local: int = 0
    host: str = ""
    port: int = 0
    by: str = ""


def find_place(environment: Mapping[str, str] = os.environ) -> Place:
    """This process's place, as its launcher tells.

    Raises:
        BadInput: when what the launcher tells makes no sense.
    """
    try:
        if {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= environment.keys():
            place = _torchrun(environment)
        elif {"SLURM_STEP_ID", "SLURM_PROCID"} <= environment.keys():
            place = _srun(environment)
        else:
            return Place()
    except ValueError as error:
        raise BadInput(f"The launcher's variables name no number where one is needed: {error}.") from None
    if not 0 <= place.rank < place.count:
        raise BadInput(f"{place.by} says that this is process {place.rank} of {place.count}.")
    return place if place.count > 1 else Place()


def first_host(nodes: str) -> str:
    """The first name of Slurm's list, e.g. ``gpu07`` of ``gpu[07-09,12],cpu1``."""
    head = re.match(r"([^,\[]+)(?:\[([^\],-]+)[^\]]*\]([^,]*))?", nodes)
    if head is None:
        raise BadInput(f"Cannot tell the first machine of {nodes!r}; name it in MASTER_ADDR.")
    return "".join(part or "" for part in head.groups())


def _torchrun(environment: Mapping[str, str]) -> Place:
    return Place(
        rank=int(environment["RANK"]),
        count=int(environment["WORLD_SIZE"]),
        local=int(environment.get("LOCAL_RANK", "0")),
        host=environment["MASTER_ADDR"],
        port=int(environment["MASTER_PORT"]),
        by="torchrun",
    )


def _srun(environment: Mapping[str, str]) -> Place:
    nodes = environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_JOB_NODELIST", "")
    alone = environment.get("SLURM_STEP_NUM_NODES", "1") == "1"
    step = int(environment["SLURM_STEP_ID"])
    number = int(environment.get("SLURM_JOB_ID", "0")) * 31 + step
    return Place(
        rank=int(environment["SLURM_PROCID"]),
        count=int(environment.get("SLURM_STEP_NUM_TASKS", "1")),
        local=int(environment.get("SLURM_LOCALID", "0")),
        host=environment.get("MASTER_ADDR") or ("127.0.0.1" if alone else first_host(nodes)),
        port=int(environment.get("MASTER_PORT") or FIRST_PORT + number % PORTS),
        by="srun",
    )
