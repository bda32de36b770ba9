"""The cases that a network's training would take now, by the graph, the settings and S3F."""

from __future__ import annotations

from collections.abc import Sequence

from clisc_engine.core.filtering import s3f_keep
from clisc_engine.products.kinds import SAM_MASKS, Network
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.stages import recipes
from clisc_engine.stages.s3f import table as s3f_table


def read_by(project: Project, network: Network, cases: Sequence[CaseArrays]) -> list[CaseArrays]:
    """All cases of the splits that the network's training reads; ``cases`` are the project's."""
    splits = recipes.splits_of(project.settings, network.name)
    return [case for case in cases if case.info.split in splits]


def learnt_from(project: Project, network: Network, cases: Sequence[CaseArrays]) -> list[CaseArrays]:
    """The train and valid cases of a training now, as far as they have its labels."""
    found = [c for c in read_by(project, network, cases) if c.stamp(network.inputs[-1]) is not None]
    if network.goes_on_from:  # its valid cases are those of round 1
        found = [case for case in found if case.info.split == "train" or case.stamp(SAM_MASKS)]
    if network.chosen_by:
        kept = s3f_keep(s3f_table.recorded(project), project.settings.s3f.p)
        found = [case for case in found if case.info.split != "train" or case.info.name in kept]
    return found
