"""What a per-case stage makes of a case, and from what: freshness follows from this alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clisc_engine.errors import MissingStage
from clisc_engine.products.graph import command_for
from clisc_engine.project.fingerprint import difference, fingerprint
from clisc_engine.project.project import CaseArrays


@dataclass(frozen=True)
class CaseSpec:
    """A per-case stage without its work: no model is loaded and no voxel read to ask what is fresh.

    Attributes:
        name: the command's name, kept in seals.
        inputs: arrays that a case needs.
        outputs: arrays that a case gets.
        made_from: settings and weights that determine the outcome, by name.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    made_from: Mapping[str, str]


def made_from(spec: CaseSpec, case: CaseArrays) -> dict[str, str]:
    """All that determines a case's outcome: the stage's own part and the inputs' fingerprints.

    An input that the case lacks has no entry.
    """
    inputs = {name: stamp.fingerprint for name in spec.inputs if (stamp := case.stamp(name))}
    return {**spec.made_from, **inputs}


def why_not_fresh(spec: CaseSpec, case: CaseArrays) -> str:
    """Empty when all outputs are sealed with the fingerprint they would get now, else the reason."""
    return why_not_made_from(made_from(spec, case), spec, case)


def why_not_made_from(expected: Mapping[str, str], spec: CaseSpec, case: CaseArrays) -> str:
    """The same, for what `made_from` said."""
    wanted = fingerprint(expected)
    for name in spec.outputs:
        stamp = case.stamp(name)
        if stamp is None:
            return f"{name} is missing"
        if stamp.fingerprint != wanted:
            seal = case.seal(name)
            return difference(seal.made_from if seal else {}, expected)
    return ""


def missing_message(case: CaseArrays, array: str) -> str:
    """That a case lacks an array, and the command that makes it."""
    command = command_for(array, case.info.split)
    return f"Case {case.info.name} has no {array} yet; run {case.store.home.in_words(command)} first."


def missing(case: CaseArrays, array: str) -> MissingStage:
    """The error that says so."""
    command = command_for(array, case.info.split)
    return MissingStage(missing_message(case, array), command=command, home=case.store.home)
