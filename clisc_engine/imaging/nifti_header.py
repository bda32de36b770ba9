"""What the header of a NIfTI file says, read with nibabel and checked: NIfTI-1 and -2, also pairs."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import nibabel
import numpy as np
import numpy.typing as npt
from nibabel.spatialimages import HeaderDataError

from clisc_engine.errors import BadInput
from clisc_engine.imaging.forms import UNIT_NAMES, Forms, apart
from clisc_engine.imaging.geometry import Geometry, from_affine, words
from clisc_engine.imaging.headers import check_bytes, check_grid, check_spacing
from clisc_engine.imaging.pairs import HEADERS, is_half, other_half
from clisc_engine.imaging.shear import upright

HALF_A_VOXEL = 0.5
"""Forms that put a voxel further apart than this are told."""

_OTHERS = {
    b"BZh": "compressed with bzip2; unpack it with `bunzip2`, or compress it with gzip",
    b"\xfd7zXZ": "compressed with xz; unpack it with `unxz`, or compress it with gzip",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard; unpack it with `unzstd`, or compress it with gzip",
    b"PK\x03\x04": "a ZIP archive; unpack it with `unzip`, or compress it with gzip",
    b"version ht": "a pointer of Git LFS and not the file itself; fetch it with `git lfs pull`",
    b"<!DOCTYPE": "a web page, perhaps of a download that failed; download it again",
    b"<!doctype": "a web page, perhaps of a download that failed; download it again",
    b"<html": "a web page, perhaps of a download that failed; download it again",
    b"NRRD": "NRRD; give it the ending .nrrd",
    b"ObjectType": "MetaImage; give it the ending .mha",
}
_CODES = range(6)
"""What NIfTI knows as codes of forms."""

_NO_IMAGE = "it does not begin as NIfTI does"


@dataclass(frozen=True)
class Header:
    """What a NIfTI header says, checked.

    Attributes:
        voxels: the file that holds them.
        size: along (x, y, z), or (x, y, z, channels).
        dtype: of the voxels in the file.
        offset: of the first one, in bytes.
        slope: what they are multiplied with; 0 where they are not scaled.
        intercept: what is added then.
        geometry: the grid.
        notes: sentences for the user.
    """

    voxels: Path
    size: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    slope: float
    intercept: float
    geometry: Geometry
    notes: tuple[str, ...]


def read_header(path: Path) -> Header:
    """The header of a NIfTI file; its claims are checked before anything of that size is allocated.

    Raises:
        BadInput: as for `read_nifti`.
    """
    head, voxels = _parts(path)
    header = _parsed(path, head)
    single = header["magic"].item().startswith(b"n+")
    if single != (head == voxels):
        kind = "both header and voxels; give it the ending .nii" if single else "the header of a pair"
        raise BadInput(f"{path} cannot be read as an image: {head.name} is {kind}.")
    size, dtype, offset = _size(path, header), _dtype(path, header), float(header["vox_offset"])
    if not math.isfinite(offset) or offset < (header.single_vox_offset if single else 0):
        raise BadInput(
            f"{path} is damaged: its header says that its voxels begin at byte {offset:g}. Export it again."
        )
    claimed = int(offset) + math.prod(size) * dtype.itemsize
    check_bytes(path, claimed, voxels.stat().st_size, compressed=_is_zipped(voxels))
    if len(size) == 4 and min(size[:3]) < 2:
        raise BadInput(f"{path} is {words(size)}, not a 3-D volume.")
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    slope = slope if math.isfinite(slope) else 0.0
    if slope and not math.isfinite(intercept):
        raise BadInput(f"{path} adds {intercept:g} to all its voxels, says its header; export it again.")
    geometry, notes = (None, ()) if len(size) < 3 else _placed(path, Forms.of(header), size)
    if geometry is None:
        raise BadInput(f"{path} is {words(size)}, not a 3-D volume.")
    return Header(voxels, size, dtype, int(offset), slope, intercept, geometry, notes)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unzipped if they are zipped, whatever its name.

    Raises:
        BadInput: when it cannot be read, also while it is.
    """
    try:
        with path.open("rb") as plain:
            start = plain.read(10)
            plain.seek(0)
            for magic, kind in _OTHERS.items():
                if start.startswith(magic):
                    raise BadInput(f"{path} is {kind}.")
            if start.startswith(b"\x1f\x8b"):
                with gzip.open(plain) as unzipped:
                    yield cast(IO[bytes], unzipped)
            else:
                yield plain
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(f"{path} is damaged or truncated ({error}). Copy or export it again.") from error
    except OSError as error:
        raise BadInput(f"Cannot read {path}: {error.strerror or error}.") from error


def _parts(path: Path) -> tuple[Path, Path]:
    """The file with the header and the one with the voxels."""
    if not is_half(path):
        return path, path
    other = other_half(path)
    if other is None:
        what = "takes its voxels from" if path.name.lower().endswith(HEADERS) else "has its header in"
        raise BadInput(f"{path} {what} a second file of that name, {_second(path)}, which is not there.")
    if other.resolve().parent not in (path.resolve().parent, path.parent.resolve()):
        raise BadInput(
            f"{path} goes with {other}, which leads out of its folder; put them beside each other."
        )
    return (path, other) if path.name.lower().endswith(HEADERS) else (other, path)


def _second(path: Path) -> str:
    name = path.name
    stem = name[: name.lower().rindex(".hdr" if ".hdr" in name.lower() else ".img")]
    return stem + (".img" if name.lower().endswith(HEADERS) else ".hdr")


def _is_zipped(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _parsed(path: Path, head: Path) -> Any:
    """Nibabel's header object, as it stands in the file; nothing is mended."""
    with opened(head) as file:
        block = file.read(540)
    for kind, magics in (
        (nibabel.Nifti1Header, (b"n+1\0", b"ni1\0")),
        (nibabel.Nifti2Header, (b"n+2\0\r\n\x1a\n", b"ni2\0\r\n\x1a\n")),
    ):
        length = kind.sizeof_hdr
        for endianness in "<>":
            if (
                len(block) < length
                or int.from_bytes(block[:4], "little" if endianness == "<" else "big") != length
            ):
                continue
            header = kind(block[:length], endianness, check=False)
            place = 344 if length == 348 else 4
            if block[place : place + len(magics[0])] in magics:
                return header
            if length == 348 and block[344:346] != b"n+":
                raise BadInput(
                    f"{path} is ANALYZE 7.5, which does not say left from right. Export it as NIfTI from "
                    "where it came, or convert it with a tool that knows its orientation, e.g. SPM."
                )
    if block.startswith(b"\x1f\x8b"):
        raise BadInput(f"{path} was gzipped twice; unpack it once with `gunzip`.")
    raise BadInput(f"{path} cannot be read as an image: {_NO_IMAGE}.")


def _size(path: Path, header: Any) -> tuple[int, ...]:
    """Of 3 or 4 dimensions, or fewer."""
    count = int(header["dim"][0])
    size = tuple(int(n) for n in header["dim"][1 : 1 + max(0, min(count, 7))])
    if not 1 <= count <= 7 or min(size) < 1:
        raise BadInput(
            f"{path} is damaged: its header says that it has {count} dimensions of {words(size)} voxels."
        )
    while len(size) > 4 and size[-1] == 1:
        size = size[:-1]
    if len(size) == 5 and size[3] == 1:
        raise BadInput(f"{path} has {size[4]} values a voxel; give grey images.")
    if len(size) > 4:
        raise BadInput(f"{path} is {words(size)}, not a 3-D volume.")
    return size


def _dtype(path: Path, header: Any) -> np.dtype[Any]:
    code = int(header["datatype"])
    try:
        dtype: np.dtype[Any] = header.get_data_dtype()
    except (HeaderDataError, KeyError):
        raise BadInput(
            f"{path} has voxels of an unknown kind (datatype {code}); export it again."
        ) from None
    if dtype.names:
        raise BadInput(f"{path} has {len(dtype.names)} values a voxel; give grey images.")
    if dtype.kind == "c":
        raise BadInput(f"{path} has complex voxels; give their magnitudes.")
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise BadInput(f"{path} has voxels of datatype {code}; export it with integers or 32-bit floats.")
    return dtype


def _placed(path: Path, forms: Forms, size: tuple[int, ...]) -> tuple[Geometry, tuple[str, ...]]:
    """The grid that the header's first form says, and what is to be said of it."""
    unit = UNIT_NAMES.get(forms.units & 7, "")
    check_spacing(path, [float(f"{value:.6g}") for value in forms.spacing], unit)
    affines = forms.affines(size)
    for name, affine in affines.items():
        if name in ("sform", "qform") and forms.code(name) not in _CODES:
            raise BadInput(
                f"{path} has the {name} code {forms.code(name)} in its header, which NIfTI does not "
                f"know: some programs would use its {name} and others not. Set it to 1 if the {name} "
                "is right, else to 0."
            )
        if name in ("sform", "qform"):
            _check_form(path, f"{name} (code {forms.code(name)})", affine)
    name, affine = next(iter(affines.items()))
    grid = from_affine(affine, size, forms.spacing)
    check_grid(path, size[:3], grid.spacing, grid.origin, grid.direction)
    notes = _told(path, forms, affines, size)
    grid = Geometry(grid.size, grid.spacing, grid.origin, grid.direction, forms)
    grid, squared_up = upright(path, grid, name, "`nibabel.processing.resample_to_output`")
    return grid, (*notes, *squared_up)


def _check_form(path: Path, name: str, affine: npt.NDArray[np.float64]) -> None:
    """Refuse a form that says no place."""
    if not np.isfinite(affine[:3, 3]).all():
        raise BadInput(
            f"{path} has the origin {words(affine[:3, 3])} in its header's {name}; export it again."
        )
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    with np.errstate(all="ignore"):
        volume = abs(np.linalg.det(affine[:3, :3] / lengths))
    if not volume > 1e-3:
        raise BadInput(
            f"{path} has directions in its header's {name} that span no volume; export it again, or set "
            "that code to 0 if the header's other form is right."
        )


def _told(
    path: Path, forms: Forms, affines: dict[str, npt.NDArray[np.float64]], size: tuple[int, ...]
) -> tuple[str, ...]:
    """What is to be said of forms that are missing, or that do not agree with each other or the spacing."""
    if "spacing" in affines:
        return (
            f"{path} does not say how it lies in the head (qform and sform have the code 0): its axes were "
            "taken to run to the left, the front and up, as nibabel does.",
        )
    (used, affine), *others = affines.items()
    for name, other in others:
        if (distance := apart(affine, other, size)) > HALF_A_VOXEL:
            return (
                f"{path} says in two ways where it lies, up to {distance:.3g} voxels apart: the {used} "
                f"(code {forms.code(used)}) was used, as nibabel, FSL, SPM and nnU-Net do, not the {name} "
                f"(code {forms.code(name)}).",
            )
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if np.any(np.abs(lengths - forms.spacing) * size[:3] > HALF_A_VOXEL * lengths):
        return (
            f"{path} has the spacing {words(np.round(lengths, 4))} mm by its {used}, which was used, and "
            f"{words(np.round(forms.spacing, 4))} mm by its pixdim.",
        )
    return ()
