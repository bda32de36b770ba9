"""Fingerprints: what made an array, hashed. Freshness and the reason for staleness follow from it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from clisc_engine.products import graph
from clisc_engine.project.case_record import SPLITS
from clisc_engine.settings.keys import value_of
from clisc_engine.settings.schema import Settings
from clisc_engine.settings.section import Section

SINCE_0_1_0: Mapping[str, Any] = {
    "label.smoothing": 0.0,
    "classifier.passes": 0.0,
    "amda.fill": "black",
    "roi.smoothing": 0.0,
    "sam.mirror": False,
    "sam.border": 0.0,
    "unet.border": 0.0,
    "unet.rival_share": 1.0,
    "unet.ask_sam": False,
    "cam.slices": "tumour-or-uncertain",
    "unet.start": "scratch",
    "prompts.region": "map",
}
"""Settings that 0.1.0 did not have, each with the value by which it worked: at that value they are left
out of fingerprints, so that what 0.1.0 made stays fresh."""

_OF_A_CASE = re.compile(rf"(?:{'|'.join(SPLITS)})/(?P<case>[^/]+)/(?P<array>.+)")
"""Names of what a network learnt from a case."""

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
"""One encoder for all: making one takes as long as its work."""
_FINGERPRINT = re.compile(r"[0-9a-f]{16}\Z")
"""Of an array or a network, which tells people nothing; digests of weight files can be looked up."""
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
"""A file's SHA-256. Sixteen digits tell one from another, and leave room for both in a line of `status`."""


def fingerprint(made_from: Mapping[str, str]) -> str:
    """Sixteen hexadecimal digits that stand for the given names and values."""
    return hashlib.sha256(_encode(dict(made_from)).encode()).hexdigest()[:16]


def settings_used(settings: Settings, *sections: str) -> dict[str, str]:
    """Dotted keys and JSON values of whole sections or of single keys, for a fingerprint."""
    used: dict[str, str] = {}
    for section in sections:
        value = value_of(settings, section)
        if isinstance(value, Section):
            for key, entry in value.model_dump().items():
                used[f"{section}.{key}"] = json.dumps(entry)
        else:
            used[section] = json.dumps(value)
    return {
        key: text
        for key, text in used.items()
        if key not in SINCE_0_1_0 or text != json.dumps(SINCE_0_1_0[key])
    }


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Why something is stale, e.g. ``cam.method "layercam" -> "gradcam"``."""
    changed = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
    of_cases = [found for key in changed if (found := _OF_A_CASE.match(key))]
    alone = [_told(key, before, after) for key in changed if not _OF_A_CASE.match(key)]
    return ", ".join([*alone, *_told_of_cases(of_cases, before, after)])


def _told_of_cases(
    keys: Sequence[re.Match[str]], before: Mapping[str, str], after: Mapping[str, str]
) -> list[str]:
    """What differs of cases, those alike together: e.g. ``masks/sam of 50 cases changed``."""
    by_array: dict[tuple[str, str], list[str]] = {}
    for key in keys:
        verb = "changed" if key[0] in before and key[0] in after else "came" if key[0] in after else "went"
        by_array.setdefault((key["array"], verb), []).append(key["case"])
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (array, verb), cases in by_array.items():
        alike.setdefault((verb, tuple(cases)), []).append(array)
    return [
        f"{' and '.join(arrays)} of {counted_cases(cases)} {verb}"
        for (verb, cases), arrays in alike.items()
    ]


def counted_cases(names: Sequence[str]) -> str:
    """A case by its name, several by their number."""
    return names[0] if len(names) == 1 else f"{len(names)} cases"


def _told(key: str, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    was, now = before.get(key, ""), after.get(key, "")
    if _FINGERPRINT.match(was) and _FINGERPRINT.match(now):
        return f"{key} changed"
    if _DIGEST.match(was) and _DIGEST.match(now):
        return f"{key} changed (SHA-256 {was[:16]} -> {now[:16]})"
    told = graph.difference_of_revisions(key, before.get(key), after.get(key))
    absent = json.dumps(SINCE_0_1_0[key]) if key in SINCE_0_1_0 else ""
    return told or f"{key} {before.get(key, absent or 'new')} -> {after.get(key, absent or 'gone')}"
