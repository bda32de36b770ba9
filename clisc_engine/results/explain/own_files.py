"""Where a file of a project's own comes from: tables in its results, and training curves."""

from __future__ import annotations

import re
from pathlib import Path

from clisc_engine.baselines.table1 import document as table1_document
from clisc_engine.baselines.table1.plan import why_stale
from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.files.reading import is_there
from clisc_engine.products import graph
from clisc_engine.products.kinds import EVALUATION, TRUST, TRUST_TABLE
from clisc_engine.products.rivals import TABLE1
from clisc_engine.project.project import SETTINGS_FILE, Project
from clisc_engine.project.variants import FILE as VARIANT
from clisc_engine.project.variants import opened
from clisc_engine.results.explain.as_written import notes_on_pair, notes_on_table1
from clisc_engine.results.explain.explained import Explained, meaning, tiny_notes
from clisc_engine.results.explain.measured import (
    WITHOUT_TUMOUR,
    networks_behind,
    tell_evaluation,
    tell_past,
)
from clisc_engine.results.provenance import Link, Provenance
from clisc_engine.running import journal
from clisc_engine.stages.trust import table as trust_table

_PAST = re.compile(r"results/history/[0-9a-f]+\.json")
_CURVE = re.compile(r"(?:logs/(?P<network>[^/]+)\.csv|checkpoints/(?P<kept>[^/]+)\.curve\.csv)")
_HEIGHT = 3
"""So many folders up lies the project of the deepest of its files that is told of."""


def project_around(path: Path) -> Project | None:
    """The project or the variant that a file lies in; None without one that can be opened."""
    try:
        root = _root_of(path)
        return None if root is None else opened(root)
    except (BadInput, MissingStage):
        return None


def by_place(path: Path) -> Explained | None:
    """A table that a project keeps in its results, or a curve among its logs; None for any other file.

    Raises:
        BadInput: when the project's settings are not valid.
    """
    root = _root_of(path)
    if root is None or root not in list(path.absolute().parents)[:_HEIGHT]:
        return None
    name = path.absolute().relative_to(root).as_posix()
    curve = _CURVE.fullmatch(name)
    network = (curve["network"] or curve["kept"]) if curve else ""
    network = network if network in graph.NETWORKS else ""
    if not (name in graph.TABLES or name == WITHOUT_TUMOUR or network or _PAST.fullmatch(name)):
        return None
    project = opened(root)
    known_by = f"its place in {'the variant' if project.parent else 'the project'} {project.root}"
    found = Explained(name, known_by, product=name, project=str(project.root.absolute()))
    if network:
        _tell_curve(found, project, network, path)
    elif _PAST.fullmatch(name):
        tell_past(found, project, path)
    elif name in (EVALUATION, WITHOUT_TUMOUR) or EVALUATION in graph.needs(name):
        tell_evaluation(found, project, path)
    else:
        _tell_table(found, project, path)
    return found


def _root_of(path: Path) -> Path | None:
    """Folder of the project or the variant around a file."""
    for folder in path.absolute().parents:
        of_variant = is_there(folder / VARIANT) and is_there(folder.parent.parent / SETTINGS_FILE)
        if of_variant or is_there(folder / SETTINGS_FILE):
            return folder
    return None


def _tell_curve(found: Explained, project: Project, network: str, path: Path) -> None:
    found.what = f"the training curve of {meaning(network)}"
    found.product = network
    found.chain = Provenance(project).of_network(network)
    found.notes = tiny_notes(project)
    curve = project.checkpoint(network).curve
    if curve.is_kept and path.absolute() != curve.kept.absolute():
        found.notes.append(
            "It is that of a training anew that has not come to its end; the finished weights below have "
            f"{curve.kept}."
        )
    if not found.chain:
        found.notes.append(f"{network} is not trained to its end.")


def _tell_table(found: Explained, project: Project, path: Path) -> None:
    """A table of which no more is kept than what its rows say: by its step, and the networks behind it."""
    name = found.product
    behind = graph.TABLES.get(graph.needs(name)[0])
    found.what = meaning(name).replace("the same", behind.meaning if behind else "the same")
    found.notes = [*tiny_notes(project), *notes_on_pair(project, name)]
    measured = table1_document.load(project.store) if TABLE1 in (name, *graph.needs(name)) else None
    products = [row["array"] for row in measured["rows"]] if measured else [name]
    command = graph.MADE_BY[name]
    runs = [run for run in journal.entries(project) if run.stage == command and run.outcome == "done"]
    last = runs[-1] if runs else None
    found.chain = [
        *networks_behind(project, [one for one in products if one in graph.PRODUCTS]),
        Link(
            name,
            "table",
            command,
            journal.end_of(last) if last else "",
            last.version if last else "",
            device=last.device if last else "",
            precision=last.precision if last else "",
            made_from=list(graph.needs(name)),
            stale=_why_stale(project, name),
        ),
    ]
    if measured:
        rows = ", ".join(row["name"] for row in measured["rows"])
        found.notes.append(f"Rows: {rows}. Fingerprint of what was measured: {measured['fingerprint']}.")
        found.notes += notes_on_table1(path, measured)


def _why_stale(project: Project, name: str) -> str:
    """Why a table would come out otherwise now, as far as that is told of it."""
    if TABLE1 in (name, *graph.needs(name)):
        return why_stale(project)
    if name in (TRUST, TRUST_TABLE):
        everyone = project.cases()
        left = len(everyone) - len(trust_table.holding(project))
        return (
            f"of {left} of {len(everyone)} cases it does not hold any more, or none is told" if left else ""
        )
    return ""
