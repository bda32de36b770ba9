"""How far SAM and the round-1 network agree on each volume; compared once and kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clisc_engine.core.filtering import s3f_similarity
from clisc_engine.core.labelling import TUMOUR
from clisc_engine.files.atomic import write_atomically
from clisc_engine.files.reading import is_there, object_at
from clisc_engine.products.graph import TABLES
from clisc_engine.products.kinds import LABELS, ROUND1, SAM_ROUND1, SIMILARITIES
from clisc_engine.project.project import CaseArrays
from clisc_engine.running.control import Control
from clisc_engine.running.isolation import concerns_one_case, in_words

COMPARED = TABLES[SIMILARITIES].inputs
"""The arrays of a case that its similarity rests on."""


def similarities(
    cases: Sequence[CaseArrays], known: Path, kept: Path, control: Control
) -> tuple[dict[str, float], dict[str, str]]:
    """S3F's similarity of round 1's mask and SAM's answer to it, by case name.

    Args:
        cases: those that have both masks.
        known: JSON file of earlier scores with the fingerprints of `COMPARED`; those are not compared anew.
        kept: where all of them are written if any is new, except in a dry run; the same file, unless this
            is a variant that reads its project's.
        control: says when to stop.

    Returns:
        The scores, and the errors of the cases whose masks cannot be read.

    Raises:
        Unreadable: when the earlier scores are there and cannot be read now.
    """
    before = _read(known)
    entries: dict[str, list[str | float]] = {}
    failed: dict[str, str] = {}
    for case in cases:
        name = case.info.name
        prints = _prints(case)
        entry = before.get(name)
        if isinstance(entry, list) and entry[:-1] == prints and isinstance(entry[-1], float):
            entries[name] = entry
            continue
        control.check_stop()
        try:
            entries[name] = [*prints, _compare(case)]
        except Exception as error:
            if not concerns_one_case(error):
                raise
            failed[name] = in_words(error)
    if entries != before and not control.dry_run:
        control.check_may_write()
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, json.dumps(entries, indent=1).encode())
    return {name: float(entry[-1]) for name, entry in entries.items()}, failed


def outdated_similarities(kept: Path) -> str:
    """Why scores in such a file are of an earlier revision and may come out otherwise now; else empty.

    Entries of revision 1 hold two fingerprints and the score. Two masks that are not empty are hardly
    ever the same to the voxel, so a volume that scored 1 had nothing in either.
    """
    entries = {name: entry for name, entry in _read(kept).items() if isinstance(entry, list)}
    trusted = [name for name, entry in entries.items() if len(entry) == 3 and entry[-1] == 1.0]
    return f"{TABLES[SIMILARITIES].of_revision(1)} ({', '.join(trusted)})" if trusted else ""


def is_damaged(kept: Path) -> bool:
    """Whether such a file is there and holds no scores; `similarities` compares all volumes again then."""
    return is_there(kept) and not _read(kept)


def _prints(case: CaseArrays) -> list[str | float]:
    stamps = [case.stamp(array) for array in COMPARED]
    return [stamp.fingerprint if stamp else "" for stamp in stamps]


def _compare(case: CaseArrays) -> float:
    prediction, answer = case.read(ROUND1), case.read(SAM_ROUND1)
    # A volume whose labels are lost is not known to be healthy.
    ill = case.stamp(LABELS) is None or bool(np.any(case.read(LABELS) == TUMOUR))
    return s3f_similarity(prediction, answer, ill=ill)


def _read(path: Path) -> dict[str, list[str | float]]:
    return object_at(path) or {}
