"""Where results may go, as far as the command line alone shows: what is wrong there is wrong usage."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from clisc_engine.errors import DiskFault

OTHER_KINDS = (
    *(".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".bmp", ".svg", ".pdf", ".webp"),
    *(".html", ".htm", ".csv", ".tsv", ".json", ".txt", ".md", ".toml", ".xlsx", ".zip", ".gz", ".tar"),
    *(".hdr", ".img", ".mgz", ".mgh", ".mnc", ".dcm", ".npy", ".npz", ".mat", ".stl", ".vtk"),
    *(".clisc", ".pt", ".pth", ".safetensors"),
)
"""Endings of files that nobody gives to a folder."""


def file_of_kind(out: Path, endings: Sequence[str], what: str, option: str = "--out") -> Path:
    """The path again, if a file of one of these endings can be there; ``option`` named it.

    Raises:
        BadParameter: for another ending, a folder, or a place below a file.
    """
    if not out.name.lower().endswith(tuple(endings)):
        named = " or ".join(endings) if len(endings) < 3 else f"one of {', '.join(endings)}"
        raise _wrong(f"{what} is written here, so {out} must end in {named}", option)
    if out.is_dir():
        raise _wrong(f"{out} is a folder; name a file", option)
    _check_above(out, option)
    return out


def folder(out: Path, endings: Sequence[str] = ()) -> Path:
    """The path again, if a folder can be there.

    Raises:
        BadParameter: for a file, a place below a file, or the name of a file: with one of ``endings`` or
            of another kind.
    """
    if out.is_dir():
        return out
    if out.exists():
        raise _wrong(f"{out} is a file; name a folder")
    if out.name.lower().endswith((*endings, *OTHER_KINDS)):
        raise _wrong(f"{out} is the name of a file; name a folder")
    _check_above(out)
    return out


def not_an_input(out: Path, inputs: Iterable[Path]) -> Path:
    """The path again, if it is none of these files, nor another name of one.

    Raises:
        BadParameter: when it is one.
    """
    for path in inputs:
        same = out.exists() and path.exists() and out.samefile(path)
        if same or os.path.realpath(out) == os.path.realpath(path):
            raise _wrong(f"{out} is the input {path}; name another file")
    return out


def _check_above(out: Path, option: str = "--out") -> None:
    above = next((path for path in out.absolute().parents if path.exists()), None)
    if above is not None and not above.is_dir():
        raise _wrong(f"{above} is a file; nothing can be below it", option)


def _wrong(text: str, option: str = "--out") -> typer.BadParameter:
    return typer.BadParameter(text, param_hint=option)


@contextmanager
def or_elsewhere(out: Path | None) -> Iterator[None]:
    """Name the way out where a picture or a page cannot be written into the project, its usual place.

    Raises:
        DiskFault: what was said, with ``--out`` unless that named the place.
    """
    try:
        yield
    except DiskFault as error:
        if out is None:
            raise DiskFault(f"{error} --out FILE writes it elsewhere.") from error
        raise
