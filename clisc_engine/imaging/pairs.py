"""Images of several files, above all NIfTI pairs: a header ``a.hdr`` and its voxels ``a.img`` are one."""

from __future__ import annotations

from pathlib import Path

from clisc_engine.imaging.detached import voxel_files

HEADERS, VOXELS = (".hdr", ".hdr.gz"), (".img", ".img.gz")


def is_half(path: Path) -> bool:
    """Whether the file's name is that of a pair's header or of its voxels."""
    return path.name.lower().endswith(HEADERS + VOXELS)


def other_half(path: Path) -> Path | None:
    """The file that makes up a pair with this one; None where there is none."""
    name = path.name.lower()
    own = next(end for end in HEADERS + VOXELS if name.endswith(end))
    stem = path.name[: -len(own)]
    endings = VOXELS if own in HEADERS else HEADERS
    tried = [path.with_name(stem + cased) for end in endings for cased in (end, end.upper())]
    return next((file for file in tried if file.is_file()), None)


def is_second_half(path: Path) -> bool:
    """Whether this is the header of a pair whose voxels lie beside it: the image has their name."""
    return path.name.lower().endswith(HEADERS) and other_half(path) is not None


def files_of(path: Path) -> list[Path]:
    """The files that hold an image: of a pair, both, whichever was named, the header first.

    A header that names other files for its voxels comes before those of them that are there.

    Raises:
        OSError: when such a header cannot be read.
    """
    if not is_half(path):
        return [path, *(file for file in voxel_files(path) if file.is_file())]
    other = other_half(path)
    return sorted([path] if other is None else [path, other], key=lambda file: file.name.lower())
