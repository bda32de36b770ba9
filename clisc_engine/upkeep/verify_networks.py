"""The part of `verify` that reads the networks: their weights, and the states of unfinished trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from clisc_engine.errors import Unreadable
from clisc_engine.files.reading import is_there
from clisc_engine.products.graph import outdated
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.project.integrity import state_problem, weights_problem
from clisc_engine.project.store import Seal
from clisc_engine.upkeep.expected import needed_networks
from clisc_engine.upkeep.findings import Finding, State, remedy_for_network, unreadable


def weight_findings(
    root: Path, files: Sequence[Path], check_stop: Callable[[], None], variant: str = ""
) -> Iterator[Finding]:
    """What is wrong with these weight files of the project, or of its ``variant``, at ``root``."""
    for path in files:
        check_stop()
        try:
            problem = weights_problem(path.parent, path.stem)
            earlier = "" if problem else outdated(path.stem, _made_from(path))
        except Unreadable as error:
            yield unreadable(root, error, "weights")
            continue
        if problem or earlier:
            state: State = "damaged" if problem else "to be made"
            place, remedy = f"checkpoints/{path.name}", remedy_for_network(path.stem, variant)
            yield Finding(place, "weights", state, problem or earlier, remedy)


def state_findings(root: Path, files: Sequence[Path], check_stop: Callable[[], None]) -> Iterator[Finding]:
    """What is wrong with these states that trainings under way have saved."""
    for path in files:
        check_stop()
        try:
            problem = state_problem(path)
        except Unreadable as error:
            yield unreadable(root, error, "training")
            continue
        if problem:
            remedy = "the training starts anew, or from the state before it"
            yield Finding(f"checkpoints/{path.name}", "training", "damaged", problem, remedy)


def lost_networks(root: Path, seals: Mapping[str, Seal], variant: str = "") -> Iterator[Finding]:
    """Networks that a project, or its ``variant``, must have and has not at ``root``.

    Args:
        root: the folder of the one or the other.
        seals: of all arrays, by case and array.
        variant: its name; empty for a project.

    Raises:
        Unreadable: when a record that tells of networks cannot be read now.
    """
    for name, reason in sorted(needed_networks(root, seals.items()).items()):
        checkpoint = Checkpoint(root / "checkpoints", name)
        if is_there(checkpoint.weights):
            continue
        why = checkpoint.taken_away()
        state: State = "to be made" if why else "missing"
        place, remedy = f"checkpoints/{name}.safetensors", remedy_for_network(name, variant)
        yield Finding(place, "weights", state, why or f"it is gone, though {reason}", remedy)


def _made_from(weights: Path) -> Mapping[str, str]:
    return Checkpoint(weights.parent, weights.stem).made_from() or {}
