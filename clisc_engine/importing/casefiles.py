"""A case's files, and the case name in a file's name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from clisc_engine.imaging.endings import without_ending

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
