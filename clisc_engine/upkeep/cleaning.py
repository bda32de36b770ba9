"""What of a project may go without a loss of results, and the bytes that it takes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clisc_engine.files.atomic import disk_faults
from clisc_engine.files.reading import inside
from clisc_engine.products.graph import NETWORKS
from clisc_engine.project.checkpoints import ASIDE
from clisc_engine.project.project import Project
from clisc_engine.project.variants import open_variant, variant_names
from clisc_engine.upkeep.foresight import size_of
from clisc_engine.upkeep.status import StageStatus
from clisc_engine.upkeep.survey import survey


@dataclass
class Cleanable:
    """Files that may go.

    Attributes:
        cache: what only saves time: embeddings that SAM's next look at a slice needs.
        states: states of finished trainings, which only further epochs would need, and damaged ones that
            were put aside. States of trainings under way are not among them.
        bytes: of each of the two.
    """

    cache: list[Path] = field(default_factory=list)
    states: list[Path] = field(default_factory=list)
    bytes: dict[str, int] = field(default_factory=dict)


def cleanable(project: Project, stages: Sequence[StageStatus] | None = None) -> Cleanable:
    """What may go of a project and its variants; nothing is removed.

    Args:
        project: the project.
        stages: its survey, if there is one already.
    """
    found = Cleanable(cache=[path for path in inside(project.cache) if path.is_dir()])
    found.states += _states(project, stages)
    for name in variant_names(project):
        found.states += _states(open_variant(project, name), None)
    found.bytes = {
        "cache": sum(size_of(folder) for folder in found.cache),
        "states": sum(path.stat().st_size for path in found.states),
    }
    return found


def clean(project: Project, found: Cleanable, *, cache: bool, states: bool) -> int:
    """Remove what was found of these kinds; the bytes won.

    Raises:
        DiskFault: when the disk does not do so.
    """
    project.store.check_may_write()
    for path in [*(found.cache if cache else ()), *(found.states if states else ())]:
        with disk_faults(path):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return sum(size for kind, size in found.bytes.items() if {"cache": cache, "states": states}[kind])


def _states(project: Project, stages: Sequence[StageStatus] | None) -> list[Path]:
    """Of a project or a variant alone, without what lies below it."""
    there = [path for path in inside(project.checkpoints) if path.is_file()]
    if not any(path.name.endswith((".pt", ASIDE)) for path in there):
        return []
    statuses = survey(project) if stages is None else stages
    fresh = {item.product for status in statuses for item in status.items if item.state == "fresh"}
    found = [path for path in there if path.name.endswith(ASIDE)]
    for name in sorted(fresh & NETWORKS.keys()):
        checkpoint = project.checkpoint(name)
        states = () if checkpoint.curve.is_kept else (checkpoint.state, checkpoint.previous_state)
        found += [path for path in states if path in there]
    return found
