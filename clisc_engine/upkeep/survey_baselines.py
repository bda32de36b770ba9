"""How far the rivals of Table 1 are; those that were never run are left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone

from clisc_engine.baselines import recipes
from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.models.weights import MissingWeights
from clisc_engine.products import graph
from clisc_engine.products.kinds import Array, Network
from clisc_engine.products.rivals import METHODS, SUPERVISED, TABLE1_ROWS, map_of
from clisc_engine.project.checkpoints import why_not_trained
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.spec import CaseSpec, why_not_fresh
from clisc_engine.stages import recipes as stage_recipes
from clisc_engine.upkeep.status import Item, StageStatus, State


def survey_baselines(project: Project, behind: Mapping[tuple[str, str], State]) -> list[StageStatus]:
    """The state of every rival that was begun, in the order in which `clisc baseline all` runs them.

    Args:
        project: the one surveyed.
        behind: what of the steps is stale or missing, by product and case (empty for a network).
    """
    cases = project.cases()
    statuses: list[StageStatus] = []
    for method in METHODS:
        command = f"baseline {method}"
        items: list[Item] = []
        late = dict(behind)
        for product in graph.made_in(command):
            if isinstance(product, Network):
                found = _network(project, product, cases, late)
            else:
                found = _arrays(project, product, cases, late) if isinstance(product, Array) else iter(())
            for item in found:
                items.append(item)
                if item.state != "fresh":
                    late[item.product, item.case] = item.state
        if items:
            statuses.append(StageStatus(command, items))
    return statuses


def _network(
    project: Project, network: Network, cases: Sequence[CaseArrays], late: Mapping[tuple[str, str], State]
) -> Iterator[Item]:
    checkpoint = project.checkpoint(network.name)
    if checkpoint.made_from() is None:
        return
    try:
        learnt = _learnt(project, network, cases)
        row = network.name.removeprefix("baseline-")
        made_from = (
            stage_recipes.network(project, network.name, learnt)
            if network.name == SUPERVISED
            else recipes.network(project, row, learnt)
        )
        needs = [
            (name, "" if name in graph.NETWORKS else case.info.name)
            for name in graph.needs(network.name)
            for case in learnt
        ]
        why = _first_late(needs, late) or why_not_trained(checkpoint, made_from)
    except (BadInput, MissingStage) as error:
        why = str(error)
    when = datetime.fromtimestamp(checkpoint.weights.stat().st_mtime, timezone.utc)
    yield Item(network.name, "", "stale" if why else "fresh", why, when.isoformat(timespec="seconds"))


def _learnt(project: Project, network: Network, cases: Sequence[CaseArrays]) -> list[CaseArrays]:
    """The cases from which a network would be trained now."""
    if network.name != SUPERVISED:
        return recipes.parts(project).learnt
    splits = stage_recipes.splits_of(project.settings, SUPERVISED)
    return [case for case in cases if case.info.split in splits and case.info.has_reference]


def _arrays(
    project: Project, array: Array, cases: Sequence[CaseArrays], late: Mapping[tuple[str, str], State]
) -> Iterator[Item]:
    """Those that are there: which cases a rival is run on is the caller's choice."""
    having = [(case, seal) for case in cases if (seal := case.seal(array.name)) is not None]
    if not having:
        return
    spec: CaseSpec | None = None
    with suppress(MissingWeights, MissingStage):  # without its weights, what was made stays as it is
        spec = _spec(project, array)
    for case, seal in having:
        needs = [(array.network, ""), *((name, case.info.name) for name in array.inputs)]
        why = _first_late(needs, late) or (why_not_fresh(spec, case) if spec else "")
        yield Item(array.name, case.info.name, "stale" if why else "fresh", why, seal.time, seal.seconds)


def _spec(project: Project, array: Array) -> CaseSpec:
    row = next((row for row, name in TABLE1_ROWS.items() if name == array.name), "")
    if row and map_of(row) in graph.ARRAYS:
        return recipes.masks(project, row, recipes.kept_threshold(project, row))
    trained = project.checkpoint(array.network).fingerprint() if array.network else ""
    return stage_recipes.array(project.settings, array.name, trained=trained)


def _first_late(needs: Sequence[tuple[str, str]], late: Mapping[tuple[str, str], State]) -> str:
    return next((f"{name} is {late[name, case]}" for name, case in needs if (name, case) in late), "")
