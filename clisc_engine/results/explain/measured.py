"""Where the tables of `evaluate` come from: when, of which rows, by which settings and networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from clisc_engine.files.reading import object_at, read_if_there
from clisc_engine.files.words import counted
from clisc_engine.products import graph
from clisc_engine.products.declared import ROWS
from clisc_engine.products.graph import EVALUATE
from clisc_engine.products.kinds import EVALUATION
from clisc_engine.project.project import Project
from clisc_engine.results.explain.explained import Explained, changed_since, meaning
from clisc_engine.results.model_file import TINY_CAUTION
from clisc_engine.results.provenance import Link, Provenance
from clisc_engine.stages.evaluation import document as evaluation_document
from clisc_engine.stages.evaluation import history
from clisc_engine.stages.evaluation.staleness import mark_rows
from clisc_engine.stages.evaluation.tables import csv_of, tables_of
from clisc_engine.stages.evaluation.told import PROGRAM
from clisc_engine.upkeep.survey import survey

WITHOUT_TUMOUR = "results/without_tumour.csv"
_MARKED = 2
"""The revision of a document since which its tables are written as they are now."""


def networks_behind(project: Project, products: Iterable[str]) -> list[Link]:
    """The networks that led to these products and are there now, without what they learnt from."""
    behind = {name for product in products for name in graph.ancestors(product)}
    return Provenance(project).of_networks_alone(name for name in graph.NETWORKS if name in behind)


def tell_evaluation(found: Explained, project: Project, path: Path) -> None:
    """Of a file that `evaluate` keeps in the results: the project's evaluation of now."""
    name = found.product
    found.what = f"{meaning(name)} of an evaluation"
    document = evaluation_document.load(project.store)
    if document is None:
        again = project.store.home.in_words(EVALUATE)
        found.notes.append(f"The project keeps no evaluation that it could be of; {again} measures anew.")
        return
    marked = mark_rows(project, document, ROWS)
    why = _why_stale(project) or next((row["why"] for row in marked["rows"] if row["why"]), "")
    settings = history.current(project).settings
    found.chain = [*networks_behind(project, _arrays(document)), _link(document, settings, why)]
    if name != EVALUATION:
        found.chain.append(Link(name, "table", EVALUATE, made_from=[EVALUATION]))
    found.notes = _notes(document)
    if why:
        found.notes.append(_how_stale(project, marked["stale"], why))
    if document["revision"] >= _MARKED and not _is_as_written(path, name, document):
        found.notes.append(changed_since("`clisc evaluate`"))


def tell_past(found: Explained, project: Project, path: Path) -> None:
    """Of a file in the history of evaluations."""
    found.what = "an evaluation as the history keeps it,"
    now = evaluation_document.load(project.store)
    past = history.read(path, now["fingerprint"] if now else "")
    if past is None:
        found.notes.append("It is not whole, or has another name than it was given.")
        return
    found.chain = [_link(past.document, past.settings, "")]
    found.notes = _notes(past.document)
    newest = f" The newest is {now['fingerprint']}." if now else ""
    found.notes.append(
        "It is the project's newest." if past.current else f"It is not the project's newest.{newest}"
    )


def _link(document: Mapping[str, Any], settings: Mapping[str, Any] | None, why: str) -> Link:
    """The evaluation itself, with the settings that determine how it measures."""
    sections = graph.TABLES[EVALUATION].settings
    return Link(
        EVALUATION,
        "table",
        EVALUATE,
        str(document["time"]),
        str(document.get("version", "")),
        float(document.get("seconds", 0)),
        settings={key: value for key, value in (settings or {}).items() if key.split(".")[0] in sections},
        made_from=_arrays(document),
        fingerprint=str(document["fingerprint"]),
        stale=why,
    )


def _arrays(document: Mapping[str, Any]) -> list[str]:
    return [ROWS[row["name"]] for row in document["rows"]]


def _notes(document: Mapping[str, Any]) -> list[str]:
    cases = {entry["case"] for entry in document["cases"]}
    splits = f" of {', '.join(document['splits'])}" if document["splits"] else ""
    rows = ", ".join(row["name"] for row in document["rows"])
    notes = [TINY_CAUTION] if document["weights"] == "tiny" else []
    measured = f"measured on {counted(len(cases), 'case')}{splits}"
    return [*notes, f"Rows: {rows}; {measured}; fingerprint {document['fingerprint']}."]


def _why_stale(project: Project) -> str:
    """Why the evaluation would come out otherwise now, as `status` tells it; empty when it would not."""
    status = next(one for one in survey(project) if one.stage == EVALUATE)
    whys = [item.why for item in status.items if item.product == "results/rows.csv"]
    return whys[0] if whys else status.note


def _how_stale(project: Project, stale: Mapping[str, Any], why: str) -> str:
    rows = f" Stale rows: {', '.join(stale['rows'])}." if stale["rows"] else ""
    steps = [*(command.removeprefix(PROGRAM) for command in stale["renew"]), EVALUATE]
    again = " and ".join(map(project.store.home.in_words, steps))
    return (
        f"It would come out otherwise now ({why}); run {again} to measure anew.{rows} The networks are "
        "listed as they are now."
    )


def _is_as_written(path: Path, name: str, document: Mapping[str, Any]) -> bool:
    """Whether a table, or the document, is as the evaluation in the store has it."""
    if name == EVALUATION:
        return evaluation_document.whole(object_at(path)) == document
    rows = tables_of(document)[Path(name).stem]
    return bool(rows) and read_if_there(path) == csv_of(rows)
