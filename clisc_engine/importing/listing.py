"""The files of a folder, or those that a pattern names, and what is left out of them, with the reason."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.imaging.detached import voxel_files
from clisc_engine.imaging.dicom import is_dicom_file
from clisc_engine.imaging.endings import ENDINGS, is_archive
from clisc_engine.imaging.pairs import is_second_half
from clisc_engine.outputs.inputs import OWN
from clisc_engine.project.lock import LOCK
from clisc_engine.project.project import SETTINGS_FILE

HIDDEN = "hidden"
LINK = "a link that leads out of the folder"
BROKEN_LINK = "a link to nothing"
READ_ALREADY = "a link to a folder that is read anyway, or that holds one"
NO_IMAGE = "no image by its ending"
ARCHIVE = "an archive that is to be unpacked first"
NOT_NAMED = "beside the folder {} of the data set"


@dataclass(frozen=True)
class LeftOut:
    """A file that is not taken.

    Attributes:
        path: of the file.
        reason: why, in words that fit one file and many.
        missed: whether somebody may have meant it to be taken.
        image: whether it is an image by its ending.
    """

    path: Path
    reason: str
    missed: bool = False
    image: bool = True


@dataclass
class Listing:
    """What lies where ``--images`` or ``--references`` points.

    Attributes:
        files: image files, and of a pattern also folders, by name.
        left_out: all others.
        folder: the folder that was named, None for a file or a pattern.
    """

    files: list[Path]
    left_out: list[LeftOut] = field(default_factory=list)
    folder: Path | None = None


def listing(given: str, option: str, part: str, *, follow_links: bool = False) -> Listing:
    """Image files in a folder and its real subfolders, or those that match a glob.

    What exists under the very name is no pattern, whatever letters it has. Of a data set with the folder
    ``part``, the files in that one are listed, the others left out. With ``follow_links`` that
    counts too to which links out of the folder lead, each folder once. ``option`` stands before the name
    in errors.

    Raises:
        BadInput: when nothing is there.
    """
    found = _matches(given)
    if not found:
        raise BadInput(f"{option}{given}: there is no such folder and no file matches.")
    if len(found) == 1 and found[0].is_dir() and not _is_pattern(given):
        return _in_folder(found[0], part, follow_links)
    taken = [path for path in found if path.is_dir() or _is_image(path) or is_dicom_file(path)]
    others = [path for path in found if path not in taken]
    return Listing(
        taken, _but_voxels([LeftOut(path, _why_no_image(path), image=False) for path in others], taken)
    )


def existing(given: str) -> Path | None:
    """What exists under the very name; a ``~`` that no shell has replaced is the home folder."""
    path = Path(given)
    if not path.exists() and given.startswith("~/"):
        path = path.expanduser()
    return path if path.exists() else None


def _is_pattern(given: str) -> bool:
    return existing(given) is None


def _matches(given: str) -> list[Path]:
    """What exists under that name, else what matches it below the longest part that exists."""
    if there := existing(given):
        return [there]
    base = Path(given).expanduser() if given.startswith("~/") else Path(given)
    rest: list[str] = []
    while not base.exists() and base != base.parent:
        rest.insert(0, base.name)
        base = base.parent
    end = os.sep if given.endswith(os.sep) else ""  # folders alone match then
    below = str(Path(glob.escape(str(base)), *rest)) + end
    names = glob.glob(below, recursive=True) or glob.glob(given, recursive=True)
    return [Path(name) for name in sorted(names)]


def _in_folder(folder: Path, part: str, follow_links: bool) -> Listing:
    within = folder / part if (folder / part).is_dir() else folder
    found = Listing([], folder=folder)
    for path in _walk(folder, found.left_out, follow_links):
        if is_second_half(path):
            continue  # it is read with its first half
        if not _is_image(path):
            found.left_out.append(LeftOut(path, _why_no_image(path), image=False))
        elif not path.is_relative_to(within):
            found.left_out.append(LeftOut(path, NOT_NAMED.format(part)))
        else:
            found.files.append(path)
    found.files.sort()
    found.left_out = sorted(_but_voxels(found.left_out, found.files), key=lambda one: one.path)
    return found


def _but_voxels(left_out: list[LeftOut], images: list[Path]) -> list[LeftOut]:
    """Those of the files left out that are no image's voxels: these are read with its header."""
    if not any(one.reason == NO_IMAGE for one in left_out):
        return left_out
    named: set[str] = set()
    for image in images:
        with suppress(OSError):  # its import says that it cannot be read
            named |= {os.path.normpath(file) for file in voxel_files(image)}
    return [one for one in left_out if one.reason != NO_IMAGE or os.path.normpath(one.path) not in named]


def _walk(folder: Path, left_out: list[LeftOut], follow_links: bool) -> Iterator[Path]:
    """Files below a folder; hidden ones, and links that are not followed, are noted as left out.

    What belongs to a project that lies there, and clisc's own records, are nobody's scans.
    """
    followed = _Followed(Path(os.path.realpath(folder)), follow_links)
    for here, folders, files in os.walk(folder, followlinks=follow_links):
        folders[:] = sorted(name for name in folders if not name.startswith(".clisc-"))
        if SETTINGS_FILE in files:
            files = [name for name in files if name != SETTINGS_FILE and not name.startswith(LOCK)]
            folders[:] = [name for name in folders if name not in OWN]
        for name in sorted([*folders, *files]):
            path = Path(here, name)
            if name.startswith(".clisc-"):
                continue
            if name.startswith("."):
                left_out.append(LeftOut(path, HIDDEN, image=False))
            elif reason := followed.why_not(path):
                left_out.append(LeftOut(path, reason, missed=True))
            elif path.is_file():
                yield path
        folders[:] = [name for name in folders if followed.enters(Path(here, name))]


class _Followed:
    """Which links in a folder are followed: none that leave it, or all of them, but no folder twice."""

    def __init__(self, root: Path, outwards: bool) -> None:
        self.root = root
        self.outwards = outwards
        self.entered: dict[Path, Path] = {}

    def why_not(self, path: Path) -> str:
        """Why a link is left out; empty for one that is followed, and for what is no link."""
        if not path.is_symlink():
            return ""
        if not path.exists():
            return BROKEN_LINK
        real = Path(os.path.realpath(path))
        if real.is_relative_to(self.root):
            return ""
        if not self.outwards:
            return LINK
        if path.is_dir():
            read = (self.root, *self.entered.values())
            if any(real.is_relative_to(one) or one.is_relative_to(real) for one in read):
                return READ_ALREADY
            self.entered[path] = real
        return ""

    def enters(self, path: Path) -> bool:
        """Whether the files of a folder are listed at this place; `why_not` was asked before."""
        if path.name.startswith("."):
            return False
        return not path.is_symlink() or path in self.entered


def _why_no_image(path: Path) -> str:
    return ARCHIVE if is_archive(path) and path.is_file() else NO_IMAGE


def _is_image(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith(ENDINGS) and not is_second_half(path)
