"""Which files are DICOM, told from their first bytes and their names."""

from __future__ import annotations

from pathlib import Path

MAGIC_AT = 128
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
        head = stream.read(MAGIC_AT + 4)
    return head[MAGIC_AT:] == b"DICM" or starts_as_dicom(head)


def starts_as_dicom(head: bytes) -> bool:
    """Whether bytes begin as a DICOM file without preamble does: a tag of a low group, then its length."""
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    short = int.from_bytes(head[4:8], "little") <= 256
    return head[:2] in _OLD_GROUPS and head[3:4] == b"\x00" and len(head) > 8 and (explicit or short)
