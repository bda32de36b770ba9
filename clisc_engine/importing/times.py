"""T1 and T2 before FLAIR in a file's name: a contrast, or a patient's first and second scan."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from clisc_engine.files.case_names import normal
from clisc_engine.imaging.contrasts import ends_with_t1_flair, is_other_alone
from clisc_engine.imaging.endings import without_ending
from clisc_engine.importing.casefiles import says_mask_alone

_IN_T1 = re.compile("mprage|bravo|spgr|swi|bold", re.IGNORECASE)
"""Sequences that are called T1_MPRAGE or T2_SWI as well."""
_NUMBERED = re.compile(r"^(?P<scan>(?:.+[-_])?t(?P<number>\d+))[-_]flair$", re.IGNORECASE)


def scans_of_times(images: Collection[Path]) -> dict[Path, str]:
    """Images called ``x_T1_FLAIR`` or ``x_T2_FLAIR`` whose T1 or T2 is a time, and ``x_T1`` or ``x_T2``.

    So it is where another contrast or a mask of the same scan lies beside one, ``x_T1_T1ce`` or
    ``x_T1_seg``, where its folder is called ``x_T1``, and for all images where one is called
    ``x_T3_FLAIR`` or ``x_T0_FLAIR``: no contrast is. ``x_`` may be lacking.
    """
    numbered = {path: found for path in images if (found := _NUMBERED.search(without_ending(path)))}
    further = any(found["number"] not in ("1", "2") for found in numbered.values())
    beside = {} if further else {folder: _stems(folder) for folder in {path.parent for path in numbered}}
    return {
        path: found["scan"]
        for path, found in numbered.items()
        if further or _is_of_the_scan(path, found["scan"], beside[path.parent])
    }


def t1_flair(images: Collection[Path]) -> set[Path]:
    """Images that are T1 FLAIR by their names, which is another contrast than FLAIR."""
    named = {path for path in images if ends_with_t1_flair(without_ending(path))}
    return named - scans_of_times(named and images).keys()


def _is_of_the_scan(path: Path, scan: str, stems: Collection[str]) -> bool:
    """Whether its folder, or another file in it, says that the scan is called so."""
    start = f"{scan}_".casefold()
    rests = [stem[len(start) :] for stem in stems if stem.startswith(start)]
    return normal(path.absolute().parent.name).casefold() == scan.casefold() or any(
        (is_other_alone(rest) and not _IN_T1.match(rest)) or says_mask_alone(Path(rest)) for rest in rests
    )


def _stems(folder: Path) -> list[str]:
    """The names of the files there, without their formats and in small letters."""
    stems: list[str] = []
    with suppress(OSError):  # whoever reads the images says that the folder cannot be read
        stems += [without_ending(path).casefold() for path in folder.iterdir()]
    return stems
