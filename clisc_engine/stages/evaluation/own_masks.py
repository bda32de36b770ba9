"""References that clisc itself made: measured against them, it only agrees with itself.

`init` and `cases add` refuse such masks; a project of an earlier version may have them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from clisc_engine.errors import BadInput
from clisc_engine.files.words import counted, listed, shell_word
from clisc_engine.outputs.record import OwnMasks
from clisc_engine.project.case_record import CaseInfo
from clisc_engine.project.project import Project

NAMED = 5
"""Cases that are named."""


def own_masks(cases: Iterable[CaseInfo]) -> dict[str, str]:
    """Of the cases whose reference is a mask that clisc made, by the record where it lay: where that is."""
    made_here = OwnMasks()
    found = {}
    for info in cases:
        try:
            if made_here.had(Path(info.reference_source), info.reference_sha256):
                found[info.name] = info.reference_source
        except (BadInput, OSError):  # a record that cannot be read tells nothing
            continue
    return found


def own_masks_in_words(project: Project, cases: Iterable[CaseInfo]) -> list[str]:
    """What is to be said beside figures that were measured on these cases; empty when nothing is."""
    found = own_masks(cases)
    if not found:
        return []
    named = listed([f"{name} ({path})" for name, path in found.items()], NAMED)
    return [
        f"The references of {counted(len(found), 'case')} are masks that clisc itself made: {named}. "
        f"Measured against them clisc agrees with itself; {remedy(project.base.root)}."
    ]


def remedy(root: Path) -> str:
    """How to replace them."""
    command = f"clisc init {shell_word(root)} --images IMAGES --references MASKS --force"
    return f"`{command}` takes masks that were drawn"


def with_notes(document: Mapping[str, Any], notes: Iterable[str]) -> dict[str, Any]:
    """A stored document that says these, too."""
    return {**document, "notes": [*dict.fromkeys([*document["notes"], *notes])]}
