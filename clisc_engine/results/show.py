"""`show`: a picture of one case in a file; one that would come out the same is not drawn again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clisc_engine.baselines.table1 import document as table1_document
from clisc_engine.outputs.inputs import Inputs
from clisc_engine.outputs.outputs import Made, Outputs
from clisc_engine.products.kinds import IMAGE, LABELS, PROBABILITY
from clisc_engine.project.fingerprint import fingerprint, settings_used
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.results.layers import STEPS, Layer, rivals_of
from clisc_engine.stages.evaluation import document as evaluation_document

if TYPE_CHECKING:
    from clisc_engine.results.case_picture import CasePicture

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".pdf", ".svg")
"""Endings of the files that a picture can be written to."""

_SETTINGS = ("window", "roi", "prompts", "sam", "seed")
_SLICES = "slices"


@dataclass(frozen=True)
class Shown:
    """A case's picture.

    Attributes:
        file: where it is.
        slices: that it shows, in order.
        masks: that it shows, by array.
        drawn: whether it was drawn now; False when the file already showed just that.
    """

    file: Path
    slices: list[int]
    masks: list[str]
    drawn: bool


def show_case(project: Project, name: str, rows: int, path: Path, *, table1: bool = False) -> Shown:
    """Draw a case into a file, whose ending says the format: one of `PICTURES`.

    A column a step, or with ``table1`` a column a method of the paper's Table 1 that was run.

    Raises:
        BadInput: when there is no such case; or, before it is drawn, when there is a file that clisc did
            not write.
    """
    outputs = Outputs(Inputs.of_project(project), "Choose another file with -o, or move that one away.")
    outputs.check([path])
    case = project.case(name)
    layers = rivals_of(project, case) if table1 else STEPS
    masks = [one.array for one in layers if one.kind == "mask" and case.stamp(one.array)]
    made_from = {"case": name, "image": case.info.sha256, "shown": _shown(project, case, rows, layers)}
    last = outputs.made_of(path)
    if last is not None and (slices := _slices(last, made_from)) is not None:
        return Shown(path, slices, masks, drawn=False)
    picture, data = _drawn(project, name, rows, path.suffix.lower(), layers)
    made_from[_SLICES] = " ".join(map(str, picture.chosen))
    outputs.put_bytes(path, data, Made("picture", made_from))
    return Shown(path, picture.chosen, masks, drawn=True)


def picture_of(
    project: Project, name: str, rows: int, ending: str, *, table1: bool = False
) -> tuple[CasePicture, bytes]:
    """What is drawn of a case, and the picture as the bytes of a file with this ending.

    Raises:
        BadInput: when there is no such case.
    """
    layers = rivals_of(project, project.case(name)) if table1 else STEPS
    return _drawn(project, name, rows, ending, layers)


def _drawn(
    project: Project, name: str, rows: int, ending: str, layers: tuple[Layer, ...]
) -> tuple[CasePicture, bytes]:
    from clisc_engine.results.case_picture import case_picture
    from clisc_engine.results.drawing import draw_case, picture_bytes

    picture = case_picture(project, name, rows, layers)
    return picture, picture_bytes(draw_case(picture, project.settings.made_with), ending)


def _shown(project: Project, case: CaseArrays, rows: int, layers: Sequence[Layer]) -> str:
    """A fingerprint of all that a picture shows: the arrays' seals, what was measured, and the settings."""
    shown = {"rows": json.dumps(rows), "case": json.dumps(asdict(case.info))}
    for array in (IMAGE, PROBABILITY, LABELS, *(layer.array for layer in layers)):
        stamp = case.stamp(array)
        shown[array] = f"{stamp.fingerprint} of {stamp.time}" if stamp else ""
    for table in (evaluation_document, table1_document):
        document = table.load(project.store) or {"cases": []}
        if measured := [entry for entry in document["cases"] if entry["case"] == case.info.name]:
            said = [measured, document.get("map_threshold"), project.references.fingerprint(case.info)]
            shown[table.__name__] = json.dumps(said)
    shown["weights"] = json.dumps(project.settings.made_with)
    return fingerprint(shown | settings_used(project.settings, *_SETTINGS))


def _slices(last: Made, made_from: dict[str, str]) -> list[int] | None:
    """The slices of the picture that is there, if it was made from the same; else None."""
    known = dict(last.made_from)
    slices = known.pop(_SLICES, None)
    if last.what != "picture" or slices is None or known != made_from:
        return None
    return [int(word) for word in slices.split() if word.isdecimal()]
