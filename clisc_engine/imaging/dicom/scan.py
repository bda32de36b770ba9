"""Looking through DICOM files: which are slices, which are something else, and which are damaged."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, MediaStorageDirectoryStorage

from clisc_engine.errors import BadInput
from clisc_engine.imaging.dicom.frames import TAGS, Frame, Header, Memo, frames_of, header_of
from clisc_engine.imaging.dicom.magic import ENDINGS, HEAD, is_aside, is_dicom, starts_as_dicom

_PIXELS = {(0x7FE0, 0x0008), (0x7FE0, 0x0009), (0x7FE0, 0x0010)}
_ITEM, _END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True)
class Damaged:
    """A file that should be a slice and cannot be read.

    Attributes:
        file: where it is.
        why: in words.
        series: Series Instance UID, empty where the file does not get so far.
    """

    file: Path
    why: str
    series: str = ""


@dataclass
class Found:
    """What some files hold.

    Attributes:
        frames: the slices.
        damaged: what should be one.
        others: DICOM files that are no images, by what they are.
    """

    frames: list[Frame] = field(default_factory=list)
    damaged: list[Damaged] = field(default_factory=list)
    others: dict[str, list[Path]] = field(default_factory=dict)


def look_through(path: Path) -> Found:
    """What a DICOM file, or the DICOM files in a folder, hold; told from their headers.

    Files that are hidden, an index (DICOMDIR) or of another format are passed over.

    Raises:
        BadInput: when the folder or a file in it cannot be read for want of permission or of a disk.
    """
    found = Found()
    try:
        files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
        with pydicom.config.disable_value_validation():
            memo: Memo = {}
            for file in _slices(files):
                _look_at(file, found, memo)
    except OSError as error:
        raise BadInput(f"Cannot read {error.filename or path}: {error.strerror or error}.") from error
    return found


def _slices(files: Sequence[Path]) -> list[Path]:
    """The files that are DICOM, and those that are not but are named as the DICOM files beside them."""
    files = [file for file in files if not is_aside(file)]
    whole = {file for file in files if is_dicom(file)}
    endings = {_ending(file) for file in whole} | set(ENDINGS)
    return [file for file in files if file in whole or (_ending(file) in endings and not _is_text(file))]


def _ending(file: Path) -> str:
    """A file's ending in small letters; a number is none, for files are named by their UID, too."""
    suffix = file.suffix.lower()
    return "" if suffix[1:].isdigit() else suffix


def _is_text(file: Path) -> bool:
    """Whether a file without an ending is a text, such as README or VERSION, and no cut slice."""
    if _ending(file):
        return False
    with file.open("rb") as stream:
        head = stream.read(512)
    if not head:
        return not any(letter.isdigit() for letter in file.name)
    return all(byte >= 32 or byte in b"\t\r\n\f" for byte in head)


def _look_at(file: Path, found: Found, memo: Memo) -> None:
    size = file.stat().st_size
    if size == 0:
        found.damaged.append(Damaged(file, "it is empty"))
        return
    with file.open("rb") as stream:
        head = stream.read(HEAD)
        stream.seek(0)
        if not starts_as_dicom(head):
            found.damaged.append(Damaged(file, "it is no DICOM file, or its beginning is lost"))
            return
        series = ""
        try:
            dataset = pydicom.dcmread(stream, stop_before_pixels=True, force=True, specific_tags=list(TAGS))
            header = header_of(dataset, memo)
            series = str(header.get("SeriesInstanceUID", ""))
            _sort_in(file, dataset, header, stream, size, found)
        except OSError:
            raise
        except Exception as error:
            found.damaged.append(Damaged(file, f"its header cannot be read ({_first_line(error)})", series))


def _sort_in(
    file: Path, dataset: FileDataset, header: Header, stream: BinaryIO, size: int, found: Found
) -> None:
    """Put a file whose header was read where it belongs."""
    meta = getattr(dataset, "file_meta", Dataset())
    kind = UID(str(header.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID", "")))
    if kind == MediaStorageDirectoryStorage:
        return
    if kind and not kind.is_private and kind.name != kind and "Image Storage" not in kind.name:
        found.others.setdefault(kind.name.removesuffix(" Storage"), []).append(file)
        return
    if kind.is_private and "Rows" not in header:
        found.others.setdefault("private object", []).append(file)
        return
    series = str(header.get("SeriesInstanceUID", ""))
    if "Rows" not in header or "Columns" not in header:
        found.damaged.append(Damaged(file, "it ends within its header", series))
        return
    syntax = meta.get("TransferSyntaxUID")
    implicit, little = dataset.original_encoding
    why = "" if syntax == DeflatedExplicitVRLittleEndian else _cut(stream, header, size, implicit, little)
    if why:
        found.damaged.append(Damaged(file, why, series))
        return
    found.frames += frames_of(file, header)


def _cut(stream: BinaryIO, header: Header, size: int, implicit: bool | None, little: bool | None) -> str:
    """What is lost of the pixels, whose element comes next in the stream; empty when nothing is."""
    order = "<" if little else ">"
    start = stream.tell()
    head = stream.read(8 if implicit else 12)
    if len(head) < (8 if implicit else 12):
        return "it ends before its pixels"
    if struct.unpack(order + "HH", head[:4]) not in _PIXELS:
        return "it holds no pixels"
    (length,) = struct.unpack(order + "I", head[-4:])
    there = size - start - len(head)
    if length == _UNDEFINED:
        return _cut_compressed(stream, size)
    bits = int(header.get("BitsAllocated", 16)) * int(header.get("SamplesPerPixel", 1))
    frames = int(header.get("NumberOfFrames") or 1)
    needed = (int(header["Rows"]) * int(header["Columns"]) * frames * bits + 7) // 8
    if str(header.get("PhotometricInterpretation", "")) == "YBR_FULL_422":
        needed = needed * 2 // 3
    if frames > 1 and length > needed + 1 and bits in (8, 16, 32):
        return f"it has {length} bytes of pixels, but {frames} frames of its size are {needed}"
    if there < length or min(there, length) < needed:
        return f"it is cut: {min(there, length)} of {max(length, needed)} bytes of its pixels are there"
    return ""


def _cut_compressed(stream: BinaryIO, size: int) -> str:
    """The same for compressed pixels, which are items with a length each up to a delimiter."""
    while len(head := stream.read(8)) == 8:
        group, element, length = struct.unpack("<HHI", head)
        if (group, element) == _END:
            return ""
        if (group, element) != _ITEM or stream.tell() + length > size:
            break
        stream.seek(length, 1)
    return "it is cut within its compressed pixels"


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0][:120] if text else type(error).__name__
