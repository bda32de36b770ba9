"""A case's files, and the case name in a file's name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from clisc_engine.case_names import normal
from clisc_engine.imaging.pairs import HEADERS, VOXELS

WRITTEN = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
"""Endings of the image files that clisc writes."""

ENDINGS = (*WRITTEN, *HEADERS, *VOXELS)
"""Endings of those that it reads, DICOM apart."""

BARE_HEADERS = {".mhd": (".raw", ".zraw"), ".nhdr": (".raw", ".raw.gz")}
"""Endings of files without voxels, and those of the files beside them that have the voxels."""

FLAIR = re.compile(r"[-_](flair|t2f|t2-flair|t2_flair)$", re.IGNORECASE)
MASK = re.compile(
    r"[-_]((?:tumou?r[-_])?(?:seg|segm|segmentation|mask|labels?)|reference|dseg)$", re.IGNORECASE
)
BRAIN_MASK = re.compile(r"[-_](?:(?:desc|label)-)?brain[-_](?:mask|seg|segmentation|dseg)$", re.IGNORECASE)
"""What a brain extraction leaves beside an image; no reference of a tumour."""

_FIRST_CHANNEL = re.compile(r"_0000$")
_BIDS_DERIVED = re.compile(r"_(?:space|desc|label|res|den)-[^_]+")
"""Entities that tell a derived file from its source, not one scan from another."""


@dataclass(frozen=True)
class CaseFiles:
    """A case's files.

    Attributes:
        name: the case's.
        image: a file, or a DICOM folder.
        reference: its mask, None without.
        channel: which volume of a 4-D image is FLAIR, counted from 0; None for 3-D images.
        split: train, valid or test if a table says so.
    """

    name: str
    image: Path
    reference: Path | None = None
    channel: int | None = None
    split: str | None = None


def case_name(path: Path) -> str:
    """The case name in a file's name: without format, channel, contrast and mask endings.

    Of a BIDS name those entities go too that only say how a file was derived.
    """
    name = _FIRST_CHANNEL.sub("", without_ending(path))
    name = MASK.sub("", FLAIR.sub("", name))
    return _BIDS_DERIVED.sub("", name) if name.startswith("sub-") else name


def without_ending(path: Path) -> str:
    """A file's name without its image format."""
    name = normal(path.name)
    return next((name[: -len(end)] for end in (*ENDINGS, ".dcm") if name.lower().endswith(end)), name)


def ending_of(path: Path) -> str:
    """A file's ending as it stands in its name; that of an image whole, e.g. ``.NII.gz``."""
    lower = path.name.lower()
    length = next((len(end) for end in ENDINGS if lower.endswith(end)), len(path.suffix))
    return path.name[len(path.name) - length :]
