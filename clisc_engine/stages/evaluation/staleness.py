"""Which rows of a table were made by other settings or inputs than today's; no voxel is read to tell."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from clisc_engine.errors import BadInput, Unreadable
from clisc_engine.models.weights import MissingWeights
from clisc_engine.products import graph
from clisc_engine.products.kinds import SIMILARITIES, Network
from clisc_engine.project.checkpoints import why_not_trained
from clisc_engine.project.fingerprint import fingerprint
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.spec import CaseSpec, why_not_fresh
from clisc_engine.stages import recipes
from clisc_engine.stages.learning import learnt_from, read_by
from clisc_engine.stages.s3f.similarity import outdated_similarities

RENEW = "clisc run"
RENEW_ABLATION = "clisc evaluate --ablation"
REMADE = "measured before its mask was made anew"


class Staleness:
    """Why products would come out otherwise now, each asked once.

    Attributes:
        project: theirs.
        cases: all cases of the project.
    """

    def __init__(self, project: Project) -> None:
        """Nothing is asked yet."""
        self.project = project.glance()
        self.cases = self.project.cases()
        self._known: dict[tuple[str, str], str] = {}
        self._recipes: dict[str, CaseSpec | None] = {}
        self._trained: dict[str, str] = {}

    def why(self, name: str, case: CaseArrays | None = None) -> str:
        """Why a case's array, or a network (without a case), is not fresh; empty when it is.

        What is made from something stale is stale too. What needs a weight file that is not on this
        machine stays as it was made.
        """
        key = name, case.info.name if case else ""
        if key not in self._known:
            self._known[key] = ""  # no product is made from itself
            try:
                self._known[key] = self._network(name) if case is None else self._array(name, case)
            except Unreadable:
                raise
            except BadInput as error:  # damaged weights
                self._known[key] = str(error)
        return self._known[key]

    def _array(self, name: str, case: CaseArrays) -> str:
        declared = graph.ARRAYS[name]
        if declared.command == "init":
            return ""
        for need in (*((declared.network,) if declared.network else ()), *declared.inputs):
            if why := self.why(need) if need in graph.NETWORKS else self.why(need, case):
                return _because(need, why)
        if declared.network and not self._print_of(declared.network):
            return f"{declared.network} is gone"
        recipe = self._recipe(name)
        return why_not_fresh(recipe, case) if recipe else ""

    def _recipe(self, name: str) -> CaseSpec | None:
        """What an array is made from now, of whatever case; None without the weight file that makes it."""
        if name not in self._recipes:
            network = graph.ARRAYS[name].network
            trained = self._print_of(network) if network else ""
            try:
                self._recipes[name] = recipes.array(self.project.settings, name, trained=trained)
            except MissingWeights:
                self._recipes[name] = None
        return self._recipes[name]

    def _print_of(self, network: str) -> str:
        """Fingerprint of a network's finished weights; empty when there are none."""
        if network not in self._trained:
            made_from = self.project.checkpoint(network).made_from()
            self._trained[network] = "" if made_from is None else fingerprint(made_from)
        return self._trained[network]

    def _network(self, name: str) -> str:
        declared = graph.NETWORKS[name]
        if not isinstance(declared, Network) or self.project.checkpoint(name).made_from() is None:
            return "not trained yet"
        everyone = read_by(self.project, declared, self.cases)
        for need in graph.needs(name):
            if need in graph.NETWORKS and (why := self.why(need)):
                return _because(need, why)
            for case in everyone if need in graph.ARRAYS else ():
                if case.stamp(need) is not None and (why := self.why(need, case)):
                    return _because(need, why)
        chosen = SIMILARITIES in declared.chosen_by
        if chosen and (why := outdated_similarities(self.project.file(SIMILARITIES))):
            return why
        learnt = learnt_from(self.project, declared, self.cases)
        provenance = recipes.network(self.project, name, learnt)
        return why_not_trained(self.project.checkpoint(name), provenance)


def mark_rows(project: Project, document: Mapping[str, Any], arrays: Mapping[str, str]) -> dict[str, Any]:
    """The document of a table again, each row marked as fresh or stale by the settings of now.

    Each summary gets a ``state`` and a ``why`` (empty when fresh), each summary of all cases also the
    ``fingerprint`` of the masks that were measured; so do the entries of single cases, which get the
    ``split`` of their case too. ``stale`` names the stale rows, and the commands that make anew what other
    settings made: a row that was measured before its masks were made anew is stale too, and needs none.

    Args:
        project: the one measured.
        document: of `evaluate`.
        arrays: the array of each row.
    """
    staleness = Staleness(project)
    by_name = {case.info.name: case for case in staleness.cases}
    prints: dict[tuple[str, str], str] = {}
    whys: dict[tuple[str, str], str] = {}
    row_whys: dict[str, str] = {}
    made_otherwise: set[str] = set()
    for entry in document["cases"]:
        row, name = entry["name"], entry["case"]
        case, measured = by_name.get(name), entry.get("fingerprint", "")
        stamp = case.stamp(arrays[row]) if case else None
        prints[row, name] = measured or (stamp.fingerprint if stamp else "")
        why = staleness.why(arrays[row], case) if case else f"case {name} is gone"
        if why:
            made_otherwise.add(row)
        elif stamp and stamp.fingerprint != prints[row, name]:
            why = REMADE
        whys[row, name] = why
        row_whys[row] = row_whys.get(row, "") or why
    stale = [row["name"] for row in document["rows"] if row_whys.get(row["name"])]
    return {
        **document,
        "rows": [
            {
                **row,
                **_state(row_whys.get(row["name"], "")),
                "fingerprint": fingerprint({c: p for (r, c), p in prints.items() if r == row["name"]}),
            }
            for row in document["rows"]
        ],
        "groups": [{**row, **_state(row_whys.get(row["name"], ""))} for row in document["groups"]],
        "cases": [
            {
                "case": entry["case"],
                "split": _split(entry, by_name),
                **{key: value for key, value in entry.items() if key != "split"},
                **_state(whys[entry["name"], entry["case"]]),
                "fingerprint": prints[entry["name"], entry["case"]],
            }
            for entry in document["cases"]
        ],
        "stale": {"rows": stale, "renew": _renewed_by(made_otherwise, arrays)},
    }


def _split(entry: Mapping[str, Any], cases: Mapping[str, CaseArrays]) -> str:
    """The split of an entry's case now; of a case that is gone the one that is noted, if any is."""
    case = cases.get(entry["case"])
    noted: str = entry.get("split", "")
    return case.info.split if case else noted


def _state(why: str) -> dict[str, str]:
    return {"state": "stale" if why else "fresh", "why": why}


def _because(product: str, why: str) -> str:
    """A reason of something that the product is made from; reasons are told once, the deepest first."""
    return why if ": " in why else f"{product}: {why}"


def _renewed_by(stale: Collection[str], arrays: Mapping[str, str]) -> list[str]:
    """The commands that make these rows anew, one after the other."""
    commands = [RENEW] if any(graph.MADE_BY[arrays[row]] != graph.ABLATION for row in stale) else []
    if any(graph.MADE_BY[arrays[row]] == graph.ABLATION for row in stale):
        commands.append(RENEW_ABLATION)
    return commands
