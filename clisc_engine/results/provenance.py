"""Where a product of a project comes from: the whole chain, source file first, from seals and records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from clisc_engine.products import graph
from clisc_engine.project.fingerprint import fingerprint
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running import journal
from clisc_engine.settings.keys import decoded, known_keys
from clisc_engine.stages import recipes
from clisc_engine.stages.evaluation.staleness import Staleness
from clisc_engine.stages.recipes import OWN_FILE

WEIGHTS = {
    "clip": "label.model",
    "sam": "sam.model",
    "bundled unet": "",
    "bundled sam": "",
    OWN_FILE: "classifier.pretrained",
}
"""Under these names seals keep the digests of models' weight files; each with the setting that names the
model, if one does."""
ONE_OF_SEVERAL = "clip "
"""Before a model's name, where several CLIPs were asked."""
_SLACK = timedelta(seconds=2)
"""Times are kept to the second, and a run's entry begins before its first result."""


@dataclass(frozen=True)
class Link:
    """One thing of a chain, and what made it.

    Attributes:
        product: an array of the case (``image``, ``masks/sam``), a network (``unet-round1``) or a table.
        kind: array, network or table; source for the file that was imported, file for a prediction.
        case: whose array it is; empty for a network.
        command: that made it, e.g. ``prompt-sam``; empty where it was not kept.
        time: when, UTC.
        version: of clisc; empty where it was not kept.
        seconds: how long it took; 0 where that was not kept.
        device: what it ran on; empty where it was not kept.
        precision: of the networks' arithmetic; likewise.
        settings: that determined it, by dotted key, the seed among them.
        weights: foundation models that made it: name, and SHA-256 of the weight file.
        made_from: the products it was made from; a network's without the case.
        learnt_from: the cases that a network learnt from, by split.
        files: of a source: path and SHA-256.
        fingerprint: of all that determined it.
        stale: why it would come out otherwise now; empty when it would not.
        options: of the command that determined it, e.g. ``--allow-skull`` of a prediction.
    """

    product: str
    kind: str
    command: str
    time: str = ""
    version: str = ""
    seconds: float = 0.0
    device: str = ""
    precision: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, dict[str, str]] = field(default_factory=dict)
    made_from: list[str] = field(default_factory=list)
    learnt_from: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    stale: str = ""
    case: str = ""
    options: list[str] = field(default_factory=list)


def command_of(product: str) -> str:
    """The command that makes a product, without options; empty for what no step makes."""
    return graph.MADE_BY.get(product, "").removesuffix(" --ablation")


def link_of_network(
    network: str, made_from: Mapping[str, str], fingerprint: str, time: str, version: str
) -> Link:
    """The link of a network that is known by what its file says alone."""
    return Link(
        network,
        "network",
        command_of(network),
        time,
        version,
        settings=settings_in(made_from),
        weights=weights_in(made_from),
        fingerprint=fingerprint,
    )


def settings_of(links: Iterable[Link]) -> tuple[dict[str, Any], list[str]]:
    """The settings of a whole chain, and the keys that had several values on the way; the last counts."""
    settings: dict[str, Any] = {}
    several: list[str] = []
    for link in links:
        for key, value in link.settings.items():
            if key in settings and settings[key] != value and key not in several:
                several.append(key)
            settings[key] = value
    return settings, several


class Provenance:
    """The chains of one project. Journal and cases are read once, so it is for one call of a command."""

    def __init__(self, project: Project) -> None:
        """Read the journal; seals are read as they are asked for."""
        self.project = project
        self.runs = _runs(project)
        self.staleness = Staleness(project)

    def of_array(self, case: CaseArrays, array: str) -> list[Link]:
        """All that led to an array of a case, in the order of its making, itself last.

        What networks learnt from is told of one of their train cases.
        """
        own = _own(array)
        behind = graph.ancestors(array) if array in graph.ARRAYS else set()
        return self._links(own, behind - own, case, array)

    def of_network(self, network: str) -> list[Link]:
        """All that led to a network, in the order of its making, itself last."""
        return self._links({network}, graph.ancestors(network), None, network)

    def of_networks_alone(self, networks: Iterable[str]) -> list[Link]:
        """Those of these networks that are trained, without what led to them."""
        return [link for network in networks if (link := self._network(network)) is not None]

    def _links(self, own: set[str], behind: set[str], case: CaseArrays | None, last: str) -> list[Link]:
        """The links of the case's own arrays, and of what networks behind it were made from."""
        order = [name for name in graph.PRODUCTS if name in own | behind]
        found: list[Link] = [] if case is None else [_source(case)]
        learnt = self._learnt_case([name for name in order if name in graph.NETWORKS])
        for name in [*order, *(name for name in own if name not in graph.PRODUCTS)]:
            of = case if name in own else learnt
            if name in graph.NETWORKS:
                link = self._network(name)
            else:
                link = self._array(of, name) if of is not None and name not in graph.TABLES else None
            if link is not None:
                found.append(link)
        return sorted(found, key=lambda link: link.product == last)

    def _learnt_case(self, networks: Sequence[str]) -> CaseArrays | None:
        """A case that the last of these networks learnt from, to tell how its labels were made."""
        by_identity = {case.info.identity: case for case in self.staleness.cases}
        for network in reversed(networks):
            for split, name, _ in recipes.arrays_read(self.project.checkpoint(network).made_from() or {}):
                if split == "train" and name in by_identity:
                    return by_identity[name]
        return None

    def _array(self, case: CaseArrays, name: str) -> Link | None:
        seal = case.seal(name)
        if seal is None:
            return None
        ran = self._run(seal.stage, seal.time)
        known = name in graph.ARRAYS
        return Link(
            name,
            "array",
            seal.stage,
            seal.time,
            seal.version,
            seal.seconds,
            ran.device if ran else "",
            ran.precision if ran else "",
            settings_in(seal.made_from),
            weights_in(seal.made_from),
            [key for key in seal.made_from if key in graph.PRODUCTS],
            fingerprint=seal.fingerprint,
            stale=self._stale(name, case) if known else "",
            case=case.info.name,
        )

    def _network(self, name: str) -> Link | None:
        checkpoint = self.project.checkpoint(name)
        made_from = checkpoint.made_from()
        if made_from is None:
            return None
        time = journal.trained_at(self.project, name)
        command = command_of(name)
        ran = self._run(command, time)
        version = checkpoint.origin()[1] or (ran.version if ran else "")
        learnt: dict[str, list[str]] = {}
        arrays: list[str] = []
        for split, case, array in recipes.arrays_read(made_from):
            if case not in learnt.setdefault(split, []):
                learnt[split].append(case)
            if array not in arrays:
                arrays.append(array)
        networks = [key for key in made_from if key in graph.NETWORKS]
        return Link(
            name,
            "network",
            command,
            time,
            version,
            0.0,
            ran.device if ran else "",
            ran.precision if ran else "",
            settings_in(made_from),
            weights_in(made_from),
            [*arrays, *networks],
            learnt,
            fingerprint=fingerprint(made_from),
            stale=self._stale(name, None),
        )

    def _stale(self, name: str, case: CaseArrays | None) -> str:
        """Why a product of the method is stale; of rivals, `status` tells it."""
        rival = graph.MADE_BY[name].startswith("baseline")
        return "" if rival else self.staleness.why(name, case)

    def _run(self, command: str, time: str) -> journal.Entry | None:
        """The run in which something was made; None when the journal does not tell."""
        made = _time(time)
        of_it = [run for run in self.runs if run.stage.partition(" ")[0] == command.partition(" ")[0]]
        for run in reversed(of_it if made else []):
            begun, end = _time(run.started), _time(journal.end_of(run))
            if made and begun and end and begun - _SLACK <= made <= end + _SLACK:
                return run
        return None


def _runs(project: Project) -> list[journal.Entry]:
    """The entries of the journal, of a variant after those of what it lies over."""
    below = _runs(project.parent) if project.parent else []
    return [*below, *journal.entries(project)]


def _own(array: str) -> set[str]:
    """The arrays of the case itself that an array was made from, and that one."""
    if array not in graph.ARRAYS:
        return {array}
    return {array}.union(*(_own(one) for one in graph.needs(array) if one in graph.ARRAYS))


def _source(case: CaseArrays) -> Link:
    info = case.info
    seal = case.seal("image")
    files = {info.source: info.sha256}
    channel = {} if info.channel is None else {"channel": info.channel}
    return Link(
        "source",
        "source",
        "init",
        seal.time if seal else "",
        seal.version if seal else "",
        settings=channel,
        files=files,
        case=info.name,
    )


def settings_in(made_from: Mapping[str, str]) -> dict[str, Any]:
    """The settings among what something was made from, by dotted key."""
    known = {*known_keys()}
    return {key: value for key, value in decoded(made_from).items() if key in known}


def weights_in(made_from: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The weight files among it: model and SHA-256 by name."""
    found: dict[str, dict[str, str]] = {}
    settings = settings_in(made_from)
    for name, digest in made_from.items():
        if name in WEIGHTS:
            found[name] = {"model": str(settings.get(WEIGHTS[name], "")), "sha256": digest}
        elif name.startswith(ONE_OF_SEVERAL):
            found[name] = {"model": name.removeprefix(ONE_OF_SEVERAL), "sha256": digest}
    return found


def _time(stamp: str) -> datetime | None:
    try:
        return datetime.fromisoformat(stamp)
    except ValueError:
        return None
