"""The records behind `Project.table`: plain values, the same keys in each."""

from __future__ import annotations

from clisc_engine.api.listing import Records
from clisc_engine.errors import MissingStage
from clisc_engine.project.project import Project

ROW_KEYS = ("n", "dsc_mean", "dsc_std", "hd95_mean", "hd95_std", "empty", "state", "why")


def case_records(project: Project) -> Records:
    """A record a case: where it comes from, its newest mask's volume, and its DSC in each row measured."""
    from clisc_engine.upkeep.case_list import list_cases

    found = list_cases(project)
    rows = list(dict.fromkeys(row for one in found for row in one.dsc))
    return Records(
        {
            "case": one.name,
            "split": one.split,
            "voxels": one.voxels,
            "spacing": one.spacing,
            "reference": one.reference,
            "mask": one.mask.removeprefix("masks/"),
            "ml": one.ml,
            **{f"dsc_{row}": one.dsc.get(row) for row in rows},
            "source": one.source,
            "problem": one.problem,
        }
        for one in found
    )


def row_records(project: Project) -> Records:
    """A record a row of Table 2.

    Raises:
        MissingStage: when nothing was evaluated yet.
    """
    from clisc_engine.stages.evaluation import document as evaluation_document

    document = evaluation_document.load(project.store)
    if document is None:
        raise MissingStage(
            f"Nothing was evaluated yet; run {project.store.home.in_words('evaluate')} or Project.evaluate "
            "first.",
            command="evaluate",
            home=project.store.home,
        )
    return Records(
        {"row": row["name"], **{key: row.get(key) for key in ROW_KEYS}} for row in document["rows"]
    )
