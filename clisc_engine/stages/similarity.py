"""How far SAM and the round-1 network agree on each volume; compared once and kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from clisc_engine.control import Control
from clisc_engine.core.filtering import dice
from clisc_engine.isolation import concerns_one_case, in_words
from clisc_engine.project import CaseArrays
from clisc_engine.reading import read_if_there
from clisc_engine.store import write_atomically


def similarities(
    cases: Sequence[CaseArrays], first: str, second: str, kept: Path, control: Control
) -> tuple[dict[str, float], dict[str, str]]:
    """Dice of two masks of each case, by case name.

    Args:
        cases: those that have both masks.
        first: a mask, e.g. ``masks/round1``.
        second: the other.
        kept: JSON file of earlier scores with the fingerprints of both masks. What is found there is
            not compared again; what is not is added, except in a dry run.
        control: says when to stop.

    Returns:
        The scores, and the errors of the cases whose masks cannot be read.

    Raises:
        Unreadable: when the earlier scores are there and cannot be read now.
    """
    before = _read(kept)
    entries: dict[str, list[str | float]] = {}
    failed: dict[str, str] = {}
    for case in cases:
        name = case.info.name
        prints = [seal.fingerprint for array in (first, second) if (seal := case.seal(array))]
        entry = before.get(name)
        if isinstance(entry, list) and entry[:-1] == prints and isinstance(entry[-1], float):
            entries[name] = entry
            continue
        control.check_stop()
        try:
            entries[name] = [*prints, dice(case.read(first), case.read(second))]
        except Exception as error:
            if not concerns_one_case(error):
                raise
            failed[name] = in_words(error)
    if entries != before and not control.dry_run:
        control.check_may_write()
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, json.dumps(entries, indent=1).encode())
    return {name: float(entry[-1]) for name, entry in entries.items()}, failed


def _read(path: Path) -> dict[str, list[str | float]]:
    text = read_if_there(path)
    try:
        found = json.loads(text or b"")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
