"""Files and folders that hold an image, as they lie there; they are hashed, but not read as images."""

from __future__ import annotations

import hashlib
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.imaging.endings import is_archive
from clisc_engine.imaging.pairs import files_of


def check_source(path: Path) -> None:
    """Refuse what is neither a file nor a folder whose files lie in it, and archives.

    A folder's files may be links, but not out of it: nobody named what they lead to.

    Raises:
        BadInput: naming the path.
    """
    if not path.exists():
        raise BadInput(f"{path} does not exist.")
    if path.is_dir():
        root = path.resolve()
        for file in path.iterdir():
            if file.is_symlink() and not file.resolve().is_relative_to(root):
                raise BadInput(
                    f"{file} leads out of its folder to {file.resolve()}; clisc follows only links that "
                    "were named. Copy the folder with its files, e.g. with `cp -rL`."
                )
    elif not path.is_file():
        raise BadInput(f"{path} is neither a file nor a folder.")
    elif is_archive(path):
        raise BadInput(f"{path} is an archive; unpack it first, and give what is in it.")


def hash_of(path: Path) -> str:
    """SHA-256 of a file, of all files of an image, or of a DICOM folder's in the order of their names.

    Raises:
        BadInput: when one of them cannot be read.
    """
    digest = hashlib.sha256()
    try:
        files = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else files_of(path)
        for file in files:
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
    except OSError as error:
        raise BadInput(f"Cannot read {error.filename or path}: {error.strerror or error}.") from error
    return digest.hexdigest()


def hash_if_readable(path: Path | None) -> str:
    """The same; empty for a file that cannot be read, and for none."""
    try:
        return hash_of(path) if path is not None else ""
    except BadInput:
        return ""
