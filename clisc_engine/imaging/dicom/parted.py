"""Series whose slices lie in several folders: each folder alone would pass for the whole image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path

import pydicom

from clisc_engine.errors import BadInput
from clisc_engine.files.words import listed
from clisc_engine.imaging.dicom.frames import Frame
from clisc_engine.imaging.dicom.magic import is_aside, is_dicom
from clisc_engine.imaging.dicom.scan import look_through
from clisc_engine.imaging.dicom.stack import stack_of


def parted_series(folders: Iterable[Path]) -> dict[tuple[Path, ...], str]:
    """Folders whose slices are one series and make one even stack together, and that in words.

    Folders are looked through only where their first files are of one series. Copies are no parts, nor are
    the images of several patients under one UID: together they make no even stack.
    """
    alike: dict[str, list[Path]] = {}
    for folder in folders:
        if series := _first_series(folder):
            alike.setdefault(series, []).append(folder)
    found = {}
    for series, several in alike.items():
        parts = {folder: _of_series(folder, series) for folder in several} if len(several) > 1 else {}
        if parts and _make_one(parts):
            found[tuple(parts)] = in_words(series, parts)
    return found


def lie_apart(parts: Mapping[Path, Sequence[Frame]]) -> bool:
    """Whether folders hold different slices of a series, and not the same ones twice."""
    places = Counter(frame.position for frame in chain.from_iterable(parts.values()))
    patients = {frame.patient for frame in chain.from_iterable(parts.values())}
    return len(parts) > 1 and len(patients) == 1 and max(places.values()) == 1


def in_words(series: str, parts: Mapping[Path, Sequence[Frame]]) -> str:
    """That slices of a series lie in these folders, and what to do."""
    named = listed([f"{len(frames)} in {folder}" for folder, frames in parts.items()], 4)
    return (
        f"The slices of one DICOM series ({series}) lie in {len(parts)} folders: {named}. One folder alone "
        "is a part of the image: copy the files of all into one new folder (those of one name under "
        "others), and give that in place of these."
    )


def _make_one(parts: Mapping[Path, Sequence[Frame]]) -> bool:
    """Whether the slices of all are an even stack, each at a place of its own."""
    frames = list(chain.from_iterable(parts.values()))
    if not lie_apart(parts):
        return False
    try:
        return len(stack_of(next(iter(parts)), frames).frames) == len(frames)
    except BadInput:
        return False


def _of_series(folder: Path, series: str) -> list[Frame]:
    return [frame for frame in look_through(folder).frames if frame.series == series]


def _first_series(folder: Path) -> str:
    """Series Instance UID of a folder's first DICOM file; empty where it cannot be read."""
    try:
        files = (file for file in sorted(folder.iterdir()) if file.is_file() and not is_aside(file))
        first = next((file for file in files if is_dicom(file)), None)
        if first is None:
            return ""
        header = pydicom.dcmread(first, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
    except Exception:  # whoever reads the folder says what is wrong with it
        return ""
    return str(header.get("SeriesInstanceUID", ""))
