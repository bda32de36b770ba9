"""What the report says of Table 1."""

from __future__ import annotations

from typing import Any

from clisc_engine.baselines.table1 import document as stored_document
from clisc_engine.baselines.table1.plan import why_stale
from clisc_engine.core.metrics import SIZE_GROUPS
from clisc_engine.project.project import Project
from clisc_engine.report.figure2 import figure2
from clisc_engine.stages.evaluation.told import counts_by_group, few_cases, splits_in_words


def compared(project: Project) -> dict[str, Any] | None:
    """The table's document, what was drawn of it, and why it is stale; None before it was measured.

    Returns:
        ``document``; ``stale``, empty when it is fresh; ``groups`` that have cases; ``means``, the DSC of a
        row in a group; ``counts`` of a group's cases, and what ``few`` cases are worth, in words;
        ``titles`` by row; ``figure``, Fig. 2.
    """
    document = stored_document.load(project.store)
    if document is None:
        return None
    there = {entry["group"] for entry in document["groups"]}
    return {
        "document": document,
        "stale": why_stale(project),
        "groups": [group for group in SIZE_GROUPS if group in there],
        "means": {(entry["name"], entry["group"]): entry["dsc_mean"] for entry in document["groups"]},
        "counts": counts_by_group(document),
        "few": few_cases(document),
        "splits": splits_in_words(document),
        "titles": {row["name"]: row["title"] for row in document["rows"]},
        "figure": figure2(project, document),
    }
