"""The rows of Table 1 that a project can show, and what makes those that it cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clisc_engine.products.graph import ARRAYS, TABLES, ancestors, revisions
from clisc_engine.products.kinds import LABELS, REFERENCE
from clisc_engine.products.rivals import (
    GOES_ON_FROM,
    SUPERVISED,
    TABLE1,
    TABLE1_ROWS,
    map_of,
    network_of,
    own_masks,
)
from clisc_engine.project.fingerprint import settings_used
from clisc_engine.project.project import CaseArrays, Project

FULL = "full"
"""CLISC itself, which every other row is compared with."""

MAP_ROWS = ("amcons", "gradcamcons", "if3d")
"""The rows whose authors chose the map's threshold on references: each has an oracle row beside it."""

ORACLE = "-oracle"
OWN = "own-"
TITLES: Mapping[str, str] = {
    "salip": "SaLIP",
    "amcons": "AMCons",
    "gradcamcons": "GradCAMCons",
    "if3d": "3D IF",
    "sim2real-stage1": "Sim2Real, as released",
    "sim2real": "Sim2Real",
    "otsu": "Otsu (floor)",
    "phantoms-only": "Phantoms only",
    FULL: "CLISC",
    "sam-reference": "SAM, reference prompts",
    "supervised": "Supervised",
}


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        name: e.g. ``amcons``, ``amcons-oracle``, ``own-bright``.
        title: for people.
        array: that it measures: a mask, or the map of an oracle row.
        label_free: whether no reference went into it.
    """

    name: str
    title: str
    array: str
    label_free: bool

    @property
    def is_oracle(self) -> bool:
        """Whether its threshold is chosen on the references that it is measured against."""
        return _is_oracle(self.name)


@dataclass(frozen=True)
class Lacking:
    """A row that cannot be shown: how many cases have its masks, of how many, and the command for them."""

    name: str
    title: str
    having: int
    cases: int
    command: str


def rows_of(
    project: Project, cases: Sequence[CaseArrays], splits: Sequence[str] = ("test",)
) -> tuple[list[Row], list[Lacking]]:
    """The rows whose array at least half of the cases have, in the paper's order, and the others."""
    shown: list[Row] = []
    lacking: list[Lacking] = []
    for name, array in _arrays(project, cases).items():
        having = sum(case.stamp(array) is not None for case in cases)
        row = Row(name, title_of(name), array, _is_label_free(project, name))
        if having and 2 * having >= len(cases):
            shown.append(row)
        elif name in TABLE1_ROWS:
            lacking.append(Lacking(name, row.title, having, len(cases), _command(name, splits)))
    return shown, lacking


def title_of(name: str) -> str:
    """A row's name for people."""
    if _is_oracle(name):
        return f"{title_of(name.removesuffix(ORACLE))}, threshold from references"
    return TITLES.get(name, name)


def provenance(project: Project, cases: Sequence[CaseArrays], rows: Sequence[Row]) -> dict[str, str]:
    """What determines the table: the references, the measured arrays, and what they are gated by."""
    found = settings_used(project.settings, *TABLES[TABLE1].settings)
    found["rows"] = ",".join(f"{row.name}{'' if row.label_free else '*'}" for row in rows)
    arrays = {row.array for row in rows} | ({LABELS} if any(row.is_oracle for row in rows) else set())
    for case in cases:
        found[f"{case.info.name}/reference"] = project.references.fingerprint(case.info)
        for array in sorted(arrays):
            if stamp := case.stamp(array):
                found[f"{case.info.name}/{array}"] = stamp.fingerprint
    return found | revisions(TABLE1)


def seen_in_training(project: Project, cases: Sequence[CaseArrays]) -> tuple[int, int]:
    """How many of the cases are of the train split, and whose references the supervised network learned."""
    learnt = project.checkpoint(SUPERVISED).made_from() or {}
    train = [case.info.identity for case in cases if case.info.split == "train"]
    return len(train), sum(f"train/{name}/{REFERENCE}" in learnt for name in train)


def _is_oracle(name: str) -> bool:
    return name.removesuffix(ORACLE) in MAP_ROWS and name.endswith(ORACLE)


def own_rows(project: Project, cases: Sequence[CaseArrays]) -> dict[str, str]:
    """The rows that a user's own files made on these cases, and their arrays, by name."""
    own = {
        child: own_masks(child)
        for case in cases
        for child in project.store.children(f"cases/{case.info.name}/masks")
        if child.startswith(OWN)
    }
    return dict(sorted(own.items()))


def _arrays(project: Project, cases: Sequence[CaseArrays]) -> dict[str, str]:
    """Every row that there may be and its array, in order; a user's own rows stand before CLISC's."""
    own = own_rows(project, cases)
    found: dict[str, str] = {}
    for name, array in TABLE1_ROWS.items():
        if name == FULL:
            found |= own
        found[name] = array
        if name in MAP_ROWS:
            found[name + ORACLE] = map_of(name)
    return found


def _is_label_free(project: Project, name: str) -> bool:
    """By what the row's arrays and networks were made from, whatever the settings say by now."""
    if _is_oracle(name):
        return False
    array = TABLE1_ROWS.get(name, "")
    if array in ARRAYS and REFERENCE in ancestors(array):
        return False
    networks = [network_of(one) for one in (name, GOES_ON_FROM.get(name, "")) if one]
    sources = [project.checkpoint(network).made_from() or {} for network in networks]
    return not any(source.endswith(f"/{REFERENCE}") for made_from in sources for source in made_from)


def _command(name: str, splits: Sequence[str]) -> str:
    """The command that makes a row's masks on these splits."""
    if name == FULL:
        return "clisc run"
    method = "sim2real" if name.startswith("sim2real") else name
    chosen = "" if tuple(splits) == ("test",) else f" --splits {','.join(splits)}"
    return f"clisc baseline {method}{chosen}"
