"""A case's files, and the case name in a file's name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from clisc_engine.imaging.contrasts import ends_with_flair, is_flair_alone, without_flair
from clisc_engine.imaging.endings import without_ending

_MASK = re.compile(
    r"[-_]((?:tumou?r[-_]?|automated_approx_)?(?:segm?|segmentations?|masks?|msk|labels?)|reference|dseg)$",
    re.IGNORECASE,
)
_BRAIN_MASK = re.compile(
    r"[-_](?:(?:desc|label)-)?brain[-_](?:parenchyma[-_])?(?:mask|seg|segmentation|dseg)$", re.IGNORECASE
)
"""What a brain extraction leaves beside an image; no reference of a tumour."""

_FIRST_CHANNEL = re.compile(r"_0000$")
_NO_MAGNITUDE = re.compile(r"_part-(?:phase|real|imag)_")
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
    if name.startswith("sub-"):  # first, for label-tumour_mask ends with what masks are called
        name = _BIDS_DERIVED.sub("", name)
    return _MASK.sub("", without_flair(name))


def says_flair(path: Path) -> bool:
    """Whether a file's name ends with FLAIR, or says no more than that."""
    return ends_with_flair(without_ending(path))


def says_flair_alone(path: Path) -> bool:
    """Whether a file's name says FLAIR and no more, so that its case can only be told by its folder."""
    return is_flair_alone(without_ending(path))


def says_no_magnitude(path: Path) -> bool:
    """Whether a file's BIDS name is that of another part of a complex image than its magnitude."""
    name = without_ending(path)
    return name.startswith("sub-") and _NO_MAGNITUDE.search(name) is not None


def says_mask(path: Path) -> bool:
    """Whether a file's name ends with what masks are called, or says no more than that."""
    return _MASK.search(_with_start(path)) is not None


def says_mask_alone(path: Path) -> bool:
    """Whether a file's name says that it is a mask and no more."""
    return _MASK.fullmatch(_with_start(path)) is not None


def says_brain_mask(path: Path) -> bool:
    """Whether a file's name is that of a brain mask."""
    return _BRAIN_MASK.search(_with_start(path)) is not None


def _with_start(path: Path) -> str:
    """The file's name without format, as if something stood before it."""
    return f"_{without_ending(path)}"
