"""Where a case's mask lies in a BIDS derivatives data set, told from the name of its image."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from clisc_engine.imaging.endings import without_ending

DESCRIPTION = "dataset_description.json"
FOLDER = "anat"
LABEL = "label-tumour"

_NAME = re.compile(r"(?P<entities>sub-[A-Za-z0-9]+(?:_[a-z]+-[A-Za-z0-9]+)*)_[A-Za-z0-9]+")
_SAID_ANEW = ("label", "desc")
"""Entities of an image that say what it shows, which the mask's own say instead."""


@dataclass(frozen=True)
class BidsImage:
    """An image in a BIDS data set.

    Attributes:
        root: the data set's folder, which holds its dataset_description.json.
        path: of the image below it, with slashes.
    """

    root: Path
    path: str


def bids_image(source: Path) -> BidsImage | None:
    """The image as its data set knows it; None when it lies in none, or has no BIDS name."""
    if not _NAME.fullmatch(without_ending(source)):
        return None
    root = next((folder for folder in source.parents if (folder / DESCRIPTION).is_file()), None)
    return BidsImage(root, source.relative_to(root).as_posix()) if root else None


def mask_path(case: str, source: Path) -> Path:
    """Where the mask goes below the derivatives, e.g. ``sub-01/anat/sub-01_label-tumour_mask.nii.gz``.

    The entities of an image with a BIDS name are kept; of any other the case is the subject.

    Args:
        case: the case's name.
        source: its image.
    """
    named = _NAME.fullmatch(without_ending(source))
    subject = re.sub(r"[^A-Za-z0-9]", "", case.removeprefix("sub-")) or "case"
    entities = named["entities"].split("_") if named else [f"sub-{subject}"]
    kept = [entity for entity in entities if entity.split("-")[0] not in _SAID_ANEW]
    folders = [entity for entity in kept if entity.split("-")[0] in ("sub", "ses")]
    return Path(*folders, FOLDER, "_".join([*kept, LABEL, "mask"]) + ".nii.gz")
