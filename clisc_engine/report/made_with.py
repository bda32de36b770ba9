"""With what arrays were made, and with what a report is: weight files and versions."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Sequence

from clisc_engine.products.kinds import LABELS, SAM_MASKS
from clisc_engine.project.project import CaseArrays
from clisc_engine.version import VERSION

PACKAGES = (
    "torch",
    "torchvision",
    "open_clip_torch",
    "segment-anything",
    "SimpleITK",
    "zarr",
    "numpy",
)
DIGITS_OF_A_DIGEST = 12


def weights_behind(cases: Sequence[CaseArrays]) -> dict[str, str]:
    """The first digits of the digests of CLIP's and SAM's weight files, by ``CLIP`` and ``SAM``.

    They are read from the seals: what the arrays were made with, not what the settings ask for now.
    """
    found: dict[str, str] = {}
    for name, array, key in (("CLIP", LABELS, "clip"), ("SAM", SAM_MASKS, "sam")):
        seals = [seal for case in cases if (seal := case.seal(array))]
        digests = sorted(
            {
                digest
                for seal in seals
                for made_from, digest in seal.made_from.items()
                if made_from == key or made_from.startswith(f"{key} ")
            }
        )
        if digests:
            found[name] = ", ".join(digest[:DIGITS_OF_A_DIGEST] for digest in digests)
    return found


def versions_here() -> dict[str, str]:
    """The versions of clisc, of Python, and of those packages that are installed here, by name."""
    found = {"clisc": VERSION, "Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
