"""What `evaluate` has measured of a case: the only way to a reference mask for those who draw it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine.products.declared import ROWS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.stages.evaluation import tables as evaluation_tables


@dataclass(frozen=True)
class Measured:
    """What is known of a case by a table; nothing of one that was not measured.

    Attributes:
        reference: (Z, Y, X), cropped to the stored image, which it is drawn over.
        volume_ml: of the whole reference, what lies outside the crop included.
        scores: DSC in percent by array, of those that are still the ones that were measured.
        outdated: arrays that were made anew since.
        cut: how maps were cut to be measured; empty when that is not known.
    """

    reference: npt.NDArray[np.bool_] | None = None
    volume_ml: float = 0.0
    scores: dict[str, float] = field(default_factory=dict)
    outdated: frozenset[str] = frozenset()
    cut: str = ""


def measured(project: Project, case: CaseArrays) -> Measured:
    """What `evaluate` has measured of a case.

    Nothing is opened of any other case: nobody is to tune a step by looking at its reference.
    """
    document = evaluation_tables.load(project)
    return measured_by(project, case, document, ROWS) if document else Measured()


def measured_by(
    project: Project, case: CaseArrays, document: Mapping[str, Any], arrays: Mapping[str, str]
) -> Measured:
    """What a table's document tells of a case; ``arrays`` names the array of each row that counts."""
    entries = {
        arrays[entry["name"]]: entry
        for entry in document["cases"]
        if entry["case"] == case.info.name and entry["name"] in arrays
    }
    if not entries:
        return Measured()
    outdated = frozenset(array for array, entry in entries.items() if _is_another(case, array, entry))
    return Measured(
        reference=project.references.read_cropped(case.info) != 0,
        volume_ml=float(next(iter(entries.values())).get("volume_ml", 0.0)),
        scores={
            array: float(entry["dsc"])
            for array, entry in entries.items()
            if entry["dsc"] is not None and array not in outdated
        },
        outdated=outdated,
        cut=cut_in_words(document.get("map_threshold")),
    )


def cut_in_words(threshold: str | float | None) -> str:
    """How maps were cut before they were measured; empty where a document does not say it."""
    if threshold is None:
        return ""
    return "cut by Otsu" if threshold == "otsu" else f"cut at {threshold:g}"


def _is_another(case: CaseArrays, array: str, entry: Mapping[str, Any]) -> bool:
    """Whether the array is not the one that was measured; tables of 0.1.0 do not say which that was."""
    seal, then = case.seal(array), entry.get("fingerprint")
    return bool(seal is not None and then and seal.fingerprint != then)
