"""What an image's header claims, checked before anything of that size is allocated."""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clisc_engine.errors import BadInput

MAX_VOXELS = 2**29
"""About 800 in each direction, 2 GB as float32; no MR volume has more."""

SPACINGS = (0.01, 100.0)
"""Millimetres; anything else is a mistake of the header's."""

BEST_COMPRESSION = 1100
"""No deflated file holds more than this many bytes for each of its own."""

_DETACHED = re.compile(rb"^(?:ElementDataFile\s*=|data ?file:)\s*(\S+)", re.IGNORECASE | re.MULTILINE)
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
        raise BadInput(f"{path} claims {_words(size)} voxels, more than any MR volume has.")
    check_spacing(path, spacing)
    if not all(map(math.isfinite, origin)):
        raise BadInput(f"{path} has the origin {_words(origin)} in its header; export it again.")
    matrix = np.array(axes, float).reshape(3, 3)
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-3:
        raise BadInput(f"{path} has directions in its header that span no volume; export it again.")


def check_spacing(path: Path, spacing: Sequence[float]) -> None:
    """Refuse spacings that are not finite, zero, negative or absurd."""
    if not all(SPACINGS[0] <= value <= SPACINGS[1] for value in spacing):
        raise BadInput(
            f"{path} has the spacing {_words(spacing)} mm in its header; it must lie between "
            f"{SPACINGS[0]:g} and {SPACINGS[1]:g} mm. Export it again, or mend its header."
        )


def check_claim(path: Path, voxels: int, voxel_bytes: int) -> None:
    """Refuse a file that is too small for what its header claims, or whose data lie elsewhere.

    Args:
        path: NIfTI, NRRD or MetaImage.
        voxels: that the header claims.
        voxel_bytes: of one voxel as the reader returns it.

    Raises:
        BadInput: naming the file.
    """
    if path.name.lower().endswith((".nii", ".nii.gz")):
        _check_nifti(path)
        return
    head = _first_bytes(path)
    there, compressed = path.stat().st_size, not _RAW.search(head)
    detached = _DETACHED.search(head)
    if detached and detached[1] != b"LOCAL":
        there = _detached_bytes(path, detached[1].decode("utf-8", errors="replace"))
    _compare(path, voxels * voxel_bytes, there, compressed=compressed)


def _check_nifti(path: Path) -> None:
    """A NIfTI header is looked at in the file itself, since readers mend its spacings in silence."""
    zipped = path.name.lower().endswith(".gz")
    head = _first_bytes(path, zipped)
    order = next(
        (o for o in "<>" if head[:4] in (struct.pack(o + "i", 348), struct.pack(o + "i", 540))), ""
    )
    if not order or len(head) < 540:
        return  # the reader says what is wrong
    if struct.unpack(order + "i", head[:4]) == (348,):
        dimensions = struct.unpack(order + "8h", head[40:56])
        (bits,) = struct.unpack(order + "h", head[72:74])
        spacing = struct.unpack(order + "8f", head[76:108])
    else:
        dimensions = struct.unpack(order + "8q", head[16:80])
        (bits,) = struct.unpack(order + "h", head[14:16])
        spacing = struct.unpack(order + "8d", head[104:168])
    used = max(0, min(dimensions[0], 7))
    claimed = math.prod(max(n, 0) for n in dimensions[1 : used + 1]) * bits // 8
    _compare(path, claimed, path.stat().st_size, compressed=zipped)
    check_spacing(path, [float(f"{value:.6g}") for value in spacing[1 : min(used, 3) + 1]])


def _compare(path: Path, claimed: int, there: int, *, compressed: bool) -> None:
    if claimed > there * (BEST_COMPRESSION if compressed else 1):
        raise BadInput(
            f"{path} is damaged or truncated: its header claims {claimed} bytes of voxels, which its "
            f"{there} bytes cannot hold. Copy or export it again."
        )


def _detached_bytes(path: Path, name: str) -> int:
    """Bytes at hand for a header whose data are in other files: they must lie beside it."""
    folder = path.parent.resolve()
    if name.upper().startswith("LIST") or "%" in name:
        return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    data = path.parent / name
    if not data.resolve().is_relative_to(folder):
        raise BadInput(f"{path} takes its voxels from {name}, outside its own folder; put them beside it.")
    if not data.is_file():
        raise BadInput(f"{path} takes its voxels from {name}, which is not there.")
    return data.stat().st_size


def _first_bytes(path: Path, zipped: bool = False) -> bytes:
    try:
        with gzip.open(path) if zipped else path.open("rb") as file:
            return file.read(_HEADER)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return b""
    except OSError as error:
        raise BadInput(f"Cannot read {path}: {error.strerror or error}.") from error


def _words(values: Sequence[float]) -> str:
    return " x ".join(f"{value:g}" for value in values)
