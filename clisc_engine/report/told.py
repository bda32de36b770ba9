"""What a report would say and show, as one fingerprint; no voxel is read to tell it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from clisc_engine.baselines.table1 import document as table1_document
from clisc_engine.baselines.table1.plan import why_stale
from clisc_engine.products.kinds import IMAGE, LABELS, PROBABILITY, REFERENCE
from clisc_engine.project.fingerprint import fingerprint
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.report.choose import one_of_each_size
from clisc_engine.report.gather import Story
from clisc_engine.results.layers import LAYERS


def what_is_told(
    project: Project,
    story: Story,
    splits: Mapping[str, str],
    pictured: Sequence[str],
    viewed: Sequence[str],
) -> str:
    """The fingerprint: of the words and numbers, and of the seals of the arrays that are counted or drawn.

    Args:
        project: the one that is reported.
        story: what was gathered of it; when it was gathered does not count.
        splits: each case's split.
        pictured: the cases to picture.
        viewed: those for the viewer.
    """
    words = {key: value for key, value in vars(story).items() if key != "made"}
    told = {"story": json.dumps(words, default=asdict), "splits": json.dumps(splits)}
    told["chosen"] = json.dumps([pictured, viewed])
    arrays = {IMAGE, PROBABILITY, *(layer.array for layer in LAYERS)}
    drawn = {name: set(arrays) for name in (*pictured, *viewed)}
    measured = {entry["case"] for entry in story.evaluation["cases"]} if story.evaluation else set()
    if (table1 := table1_document.load(project.store)) is not None:
        told["table1"] = json.dumps(table1) + why_stale(project)
        for name in one_of_each_size(table1).values():
            drawn.setdefault(name, {IMAGE}).update(row["array"] for row in table1["rows"])
            measured.add(name)
    for case in project.cases():
        name = case.info.name
        for array in sorted({LABELS, *drawn.get(name, ())} - {REFERENCE}):
            told[f"{name}/{array}"] = _seal(case, array)
        if name in drawn:
            told[f"{name}/record"] = json.dumps(asdict(case.info))
            told[f"{name}/{REFERENCE}"] = (
                project.references.fingerprint(case.info) if name in measured else ""
            )
    return fingerprint(told)


def _seal(case: CaseArrays, array: str) -> str:
    stamp = case.stamp(array)
    return f"{stamp.fingerprint} of {stamp.time}" if stamp else ""
