"""Whether torchrun or srun started this process as one of several of a command, and which it is."""

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
class RankInfo:
    """A process's place among the ``world_size`` of its command, which meet at ``host`` and ``port``.

    Its ``local_rank`` on its machine chooses its GPU. ``launcher`` is torchrun, srun, or empty.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    host: str = ""
    port: int = 0
    launcher: str = ""


def rank_info(environment: Mapping[str, str] = os.environ) -> RankInfo:
    """This process's place, as its launcher tells.

    A batch script and an interactive allocation of Slurm have SLURM_NTASKS too, though one process runs
    there: only the number of tasks of a step counts.

    Raises:
        BadInput: when what the launcher tells makes no sense.
    """
    if {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= environment.keys():
        launcher, names = "torchrun", ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    elif {"SLURM_STEP_ID", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"} <= environment.keys():
        launcher, names = "srun", ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID")
    else:
        return RankInfo()
    try:
        rank, world_size, local_rank = (int(environment.get(name, "0")) for name in names)
        step = int(environment.get("SLURM_JOB_ID", "0")) * 31 + int(environment.get("SLURM_STEP_ID", "0"))
        port = int(environment.get("MASTER_PORT") or FIRST_PORT + step % PORTS)
    except ValueError as error:
        raise BadInput(f"The launcher's variables name no number where one is needed: {error}.") from None
    if not 0 <= rank < world_size:
        raise BadInput(f"{launcher} says that this is process {rank} of {world_size}.")
    host = environment.get("MASTER_ADDR") or first_host(environment.get("SLURM_STEP_NODELIST", ""))
    if environment.get("SLURM_STEP_NUM_NODES") == "1" and "MASTER_ADDR" not in environment:
        host = "127.0.0.1"
    return RankInfo(rank, world_size, local_rank, host, port, launcher) if world_size > 1 else RankInfo()


def first_host(nodes: str) -> str:
    """The first name of Slurm's list, e.g. ``gpu07`` of ``gpu[07-09,12],cpu1``."""
    head = re.match(r"([^,\[]+)(?:\[([^\],-]+)[^\]]*\]([^,]*))?", nodes)
    if head is None:
        raise BadInput(f"Cannot tell the first machine of {nodes!r}; name it in MASTER_ADDR.")
    return "".join(part or "" for part in head.groups())
