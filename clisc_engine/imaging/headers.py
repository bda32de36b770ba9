"""What an image's header claims, checked before anything of that size is allocated."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clisc_engine.errors import BadInput
from clisc_engine.imaging.detached import voxel_files
from clisc_engine.imaging.geometry import words

MAX_VOXELS = 2**29
"""About 800 in each direction, 2 GB as float32; no MR volume has more."""

SPACINGS = (0.01, 100.0)
"""Millimetres; anything else is a mistake of the header's."""

BEST_COMPRESSION = 1100
"""No deflated file holds more than this many bytes for each of its own."""

_RAW = re.compile(rb"^(?:CompressedData\s*=\s*False|encoding:\s*raw)\s*$", re.IGNORECASE | re.MULTILINE)
_HEADER = 1 << 16


def check_grid(
    path: Path,
    size: Sequence[int],
    spacing: Sequence[float],
    origin: Sequence[float],
    axes: Sequence[float],
) -> None:
    """Refuse a 3-D grid that no scanner makes; sizes and spacings in any one order, axes as cosines.

    Raises:
        BadInput: naming the file and what its header says.
    """
    if math.prod(size) > MAX_VOXELS:
        raise BadInput(f"{path} claims {words(size)} voxels, more than any MR volume has.")
    check_spacing(path, spacing)
    if not all(map(math.isfinite, origin)):
        raise BadInput(f"{path} has the origin {words(origin)} in its header; export it again.")
    matrix = np.array(axes, float).reshape(3, 3)
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-3:
        raise BadInput(f"{path} has directions in its header that span no volume; export it again.")


def check_spacing(path: Path, spacing: Sequence[float], unit: str = "") -> None:
    """Refuse spacings that are not finite, zero, negative or absurd; ``unit`` is the header's if not mm."""
    if not all(SPACINGS[0] <= value <= SPACINGS[1] for value in spacing):
        said = f" (which counts in {unit})" if unit else ""
        raise BadInput(
            f"{path} has the spacing {words(spacing)} mm in its header{said}; it must lie between "
            f"{SPACINGS[0]:g} and {SPACINGS[1]:g} mm. Export it again, or mend its header."
        )


def channel_of(path: Path, size: Sequence[int], channel: int | None) -> int:
    """Which volume of a file to take: 0 of a 3-D one, of a 4-D one the one that was chosen.

    Raises:
        BadInput: when none was chosen of several, or there is no such one, or the file is not 3-D.
    """
    if len(size) not in (3, 4) or min(size[:3]) < 2:
        raise BadInput(f"{path} is {words(size)}, not a 3-D volume.")
    if len(size) == 3:
        return 0
    if size[3] > 1 and channel is None:
        raise BadInput(
            f"{path} is 4-D with {size[3]} volumes ({words(size)}); say which of them is FLAIR with "
            f"--channel 0 to {size[3] - 1}, or give one 3-D file a case."
        )
    if (index := channel or 0) >= size[3]:
        raise BadInput(f"{path} has {size[3]} volumes, counted from 0; there is no channel {index}.")
    return index


def check_claim(path: Path, voxels: int, voxel_bytes: int) -> None:
    """Refuse a file that is too small for what its header claims, or whose data lie elsewhere.

    Args:
        path: NRRD or MetaImage.
        voxels: that the header claims.
        voxel_bytes: of one voxel as the reader returns it.

    Raises:
        BadInput: naming the file.
    """
    compressed = not _RAW.search(first_bytes(path))
    files = voxel_files(path)
    there = sum(_bytes_beside(path, file) for file in files) if files else path.stat().st_size
    check_bytes(path, voxels * voxel_bytes, there, compressed=compressed)


def check_bytes(path: Path, claimed: int, there: int, *, compressed: bool) -> None:
    """Refuse a header that claims more bytes than ``there`` can be, deflated if ``compressed``."""
    if claimed > there * (BEST_COMPRESSION if compressed else 1):
        raise BadInput(
            f"{path} is damaged or truncated: its header claims {claimed} bytes of voxels, which its "
            f"{there} bytes cannot hold. Copy or export it again."
        )


def _bytes_beside(path: Path, file: Path) -> int:
    """Bytes of a file that a header takes voxels from: it must lie beside it."""
    if not file.resolve().is_relative_to(path.parent.resolve()):
        raise BadInput(f"{path} takes its voxels from {file}, outside its own folder; put them beside it.")
    if not file.is_file():
        raise BadInput(f"{path} takes its voxels from {file}, which is not there.")
    return file.stat().st_size


def first_bytes(path: Path) -> bytes:
    """A file's beginning, in which a text header ends.

    Raises:
        BadInput: when it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(_HEADER)
    except OSError as error:
        raise BadInput(f"Cannot read {path}: {error.strerror or error}.") from error
