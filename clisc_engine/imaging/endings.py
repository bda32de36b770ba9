"""Which endings image files have."""

from __future__ import annotations

from pathlib import Path

from clisc_engine.files.case_names import normal
from clisc_engine.imaging.pairs import HEADERS, VOXELS

WRITTEN = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
"""Endings of the image files that clisc writes."""

ENDINGS = (*WRITTEN, *HEADERS, *VOXELS)
"""Endings of those that it reads, DICOM apart."""

ARCHIVES = (
    ".zip",
    ".7z",
    ".rar",
    ".tar",
    ".tgz",
    ".tbz2",
    ".txz",
    ".tar.gz",
    ".tar.bz2",
    ".tar.xz",
    ".tar.zst",
)
"""Endings of files that hold others."""

BARE_HEADERS = {".mhd": (".raw", ".zraw"), ".nhdr": (".raw", ".raw.gz")}
"""Endings of files without voxels, and those of the files beside them that have the voxels."""


def without_ending(path: Path) -> str:
    """A file's name without its image format."""
    name = normal(path.name)
    return next((name[: -len(end)] for end in (*ENDINGS, ".dcm") if name.lower().endswith(end)), name)


def is_archive(path: Path) -> bool:
    """Whether a file holds others by its name, which must be unpacked to be read."""
    return path.name.lower().endswith(ARCHIVES)


def ending_of(path: Path) -> str:
    """A file's ending as it stands in its name; that of an image whole, e.g. ``.NII.gz``."""
    lower = path.name.lower()
    length = next((len(end) for end in ENDINGS if lower.endswith(end)), len(path.suffix))
    return path.name[len(path.name) - length :]
