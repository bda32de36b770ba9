"""Which files are DICOM, told from their first bytes and their names."""

from __future__ import annotations

from pathlib import Path

_PREAMBLE, _MAGIC = 128, b"DICM"
HEAD = _PREAMBLE + len(_MAGIC)
"""Bytes of a file that tell whether it is DICOM."""
ENDINGS = (".dcm", ".dicom", ".ima")
_OLD_GROUPS = (b"\x02\x00", b"\x08\x00")
"""A file without preamble begins with the group of its first tag."""


def is_aside(file: Path) -> bool:
    """Whether a file beside slices is none by its name: hidden, or the index of a disc."""
    return file.name.startswith(".") or file.name.split(".")[0].upper() == "DICOMDIR"


def is_dicom(file: Path) -> bool:
    """Whether a file has DICOM's magic, or the beginning of one written without it.

    Raises:
        OSError: when it cannot be read.
    """
    with file.open("rb") as stream:
        return starts_as_dicom(stream.read(HEAD))


def starts_as_dicom(head: bytes) -> bool:
    """Whether the first `HEAD` bytes of a file are DICOM's.

    After a preamble comes the magic; a file without these begins with a tag of a low group and its length.
    """
    if head[_PREAMBLE:] == _MAGIC:
        return True
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    short = int.from_bytes(head[4:8], "little") <= 256
    return head[:2] in _OLD_GROUPS and head[3:4] == b"\x00" and len(head) > 8 and (explicit or short)
