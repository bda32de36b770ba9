"""The part of `verify` that reads the networks: their weights, and the states of unfinished trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from clisc_engine.errors import Home, Unreadable
from clisc_engine.files.reading import inside, is_there
from clisc_engine.products.graph import outdated
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.project.integrity import state_problem, weights_problem
from clisc_engine.project.store import Seal
from clisc_engine.upkeep.expected import needed_networks
from clisc_engine.upkeep.findings import Finding, State, remedy_for_network, unreadable


def weight_files(root: Path) -> list[Path]:
    """The files of finished weights of a project, or of a variant, at ``root``.

    Raises:
        Unreadable: when they cannot be listed now.
    """
    return [path for path in inside(root / "checkpoints") if path.match("*.safetensors")]


def checkpoint_findings(root: Path, home: Home, check_stop: Callable[[], None]) -> Iterator[Finding]:
    """What is wrong with the weights, and with the states of trainings under way, at ``root``.

    Args:
        root: the folder of a project, or of a variant.
        home: the one or the other, for the commands that are named.
        check_stop: called before each file; raises to end the reading.

    Raises:
        Unreadable: when they cannot be listed now.
    """
    for path in weight_files(root):
        check_stop()
        try:
            problem = weights_problem(path.parent, path.stem)
            earlier = "" if problem else outdated(path.stem, _made_from(path))
        except Unreadable as error:
            yield unreadable(root, error, "weights")
            continue
        if problem or earlier:
            state: State = "damaged" if problem else "to be made"
            place, remedy = f"checkpoints/{path.name}", remedy_for_network(path.stem, home)
            yield Finding(place, "weights", state, problem or earlier, remedy)
    for path in inside(root / "checkpoints"):
        if path.match("*.training*.pt"):
            check_stop()
            yield from _state_findings(root, path)


def _state_findings(root: Path, path: Path) -> Iterator[Finding]:
    """What is wrong with a state that a training under way has saved."""
    try:
        problem = state_problem(path)
    except Unreadable as error:
        yield unreadable(root, error, "training")
        return
    if problem:
        remedy = "the training starts anew, or from the state before it"
        yield Finding(f"checkpoints/{path.name}", "training", "damaged", problem, remedy)


def lost_networks(root: Path, home: Home, seals: Mapping[str, Seal]) -> Iterator[Finding]:
    """Networks that a project, or a variant, must have and has not at ``root``.

    Args:
        root: the folder of the one or the other.
        home: the same, for the commands that are named.
        seals: of all arrays, by case and array.

    Raises:
        Unreadable: when a record that tells of networks cannot be read now.
    """
    for name, reason in sorted(needed_networks(root, seals.items()).items()):
        checkpoint = Checkpoint(root / "checkpoints", name)
        if is_there(checkpoint.weights):
            continue
        why = checkpoint.taken_away()
        state: State = "to be made" if why else "missing"
        place, remedy = f"checkpoints/{name}.safetensors", remedy_for_network(name, home)
        yield Finding(place, "weights", state, why or f"it is gone, though {reason}", remedy)


def _made_from(weights: Path) -> Mapping[str, str]:
    return Checkpoint(weights.parent, weights.stem).made_from() or {}
