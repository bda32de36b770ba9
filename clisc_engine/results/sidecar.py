"""What lies beside a mask and says where it comes from, in the words of BIDS derivatives.

https://bids-specification.readthedocs.io/en/stable/derivatives/common-data-types.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine.imaging.endings import without_ending
from clisc_engine.products import graph
from clisc_engine.project.project import CaseArrays
from clisc_engine.results.provenance import Link, Provenance, settings_of
from clisc_engine.version import VERSION

KEY = "Clisc"
"""Holds what BIDS has no words for."""
CAUTION = "Made without human labels. Research software, not a medical device."


def beside(mask: Path) -> Path:
    """Where the sidecar of an image file lies."""
    return mask.with_name(f"{without_ending(mask)}.json")


def digest_of_mask(mask: npt.NDArray[Any]) -> str:
    """SHA-256 of a (Z, Y, X) mask's shape and voxels, however its file is compressed."""
    digest = hashlib.sha256(repr(tuple(int(size) for size in mask.shape)).encode())
    digest.update(np.packbits(np.ascontiguousarray(mask) != 0).tobytes())
    return digest.hexdigest()


def generated_by(links: Sequence[Link]) -> list[dict[str, str]]:
    """Each command of a chain once, as BIDS' ``GeneratedBy``."""
    entries: dict[tuple[str, str], dict[str, str]] = {}
    for link in links:
        if link.kind != "source":
            name = f"clisc {link.command}"
            entry = {"Name": "clisc", "Version": link.version or "unknown", "Description": name}
            entries.setdefault((name, link.version), entry)
    return list(entries.values())


def sidecar(provenance: Provenance, case: CaseArrays, array: str, mask: npt.NDArray[Any]) -> dict[str, Any]:
    """The sidecar of a case's exported mask.

    Args:
        provenance: of the case's project.
        case: it.
        array: which of its arrays, e.g. ``masks/sam``.
        mask: (Z, Y, X) as it is written, on the grid of the case's file.
    """
    links, own = provenance.of_array(case, array), provenance.project.settings
    ml = float(np.prod(case.info.placement["source"]["spacing"])) / 1000
    meaning = graph.PRODUCTS[array].meaning if array in graph.PRODUCTS else array
    settings, _ = settings_of(links)
    return {
        "Description": f"{meaning} ({array})",
        "Type": "Lesion",
        "SpatialReference": "orig",
        "Sources": [case.info.source],
        "GeneratedBy": generated_by(links),
        KEY: {
            "Version": VERSION,
            "Project": str(provenance.project.root.absolute()),
            "Case": case.info.name,
            "Array": array,
            "Fingerprint": links[-1].fingerprint,
            "MaskSha256": digest_of_mask(mask),
            "VolumeMl": round(float(np.count_nonzero(mask)) * ml, 3),
            "Weights": own.made_with,
            "Seed": settings.get("seed", own.seed),
            "Stale": links[-1].stale,
            "Note": CAUTION,
            "Chain": [_told(link) for link in links],
        },
    }


def sidecar_bytes(document: dict[str, Any]) -> bytes:
    """A sidecar as the bytes of its file."""
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def _told(link: Link) -> dict[str, Any]:
    """A link without what it does not have."""
    return {key: value for key, value in asdict(link).items() if value}
