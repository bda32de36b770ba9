"""Finding cases in a folder, a glob or a manifest, and pairing images with references by name."""

from __future__ import annotations

import csv
import glob
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clisc_engine.errors import BadInput

ENDINGS = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
FLAIR = re.compile(r"[-_](flair|t2f|t2-flair|t2_flair|0000)$", re.IGNORECASE)
MASK = re.compile(r"[-_](seg|mask|label|labels|reference|dseg)$", re.IGNORECASE)
SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class CaseFiles:
    """A case's image (a file, or a DICOM folder) and its reference mask, if there is one."""

    name: str
    image: Path
    reference: Path | None


def find_cases(images: str, references: str | None) -> list[CaseFiles]:
    """All cases, by name.

    ``images`` is a folder, a glob or a CSV manifest (``case,image[,reference]``). In a folder the
    FLAIR images are taken (``*_flair``, ``*-t2f``, ``*_0000``, ``*_FLAIR``), from it and its
    subfolders; if there are none so named, all images that are not masks; if there are none at all,
    subfolders that hold DICOM files. A case's name is the file's name without those endings.

    Raises:
        BadInput: when there is no image, two have one name, a name is not safe for a folder, or a
            reference has no image.
    """
    if images.lower().endswith(".csv"):
        return _from_manifest(Path(images))
    found = _named(_image_files(images))
    masks = _named(_reference_files(references)) if references is not None else {}
    if orphans := [name for name in masks if name not in found]:
        raise BadInput(f"The reference {masks[orphans[0]]} has no image of the case name {orphans[0]!r}.")
    return [CaseFiles(name, found[name], masks.get(name)) for name in sorted(found)]


def case_name(path: Path) -> str:
    """The case name in a file's name: without format, modality and mask endings."""
    name = unicodedata.normalize("NFC", path.name)
    for ending in ENDINGS:
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
            break
    return MASK.sub("", FLAIR.sub("", name))


def _image_files(pattern: str) -> list[Path]:
    files = _files(pattern, "--images")
    if not Path(pattern).is_dir():
        return [path for path in files if not MASK.search(_stem(path))]
    if flair := [path for path in files if FLAIR.search(_stem(path))]:
        return flair
    if plain := [path for path in files if not MASK.search(_stem(path))]:
        return plain
    if series := [p for p in sorted(Path(pattern).iterdir()) if p.is_dir() and _holds_dicom(p)]:
        return series
    hint = (
        f"the links there lead out of the folder: name them, --images '{pattern}/*'"
        if any(path.is_symlink() for path in Path(pattern).iterdir())
        else "clisc reads NIfTI, NRRD, MHA and DICOM folders"
    )
    raise BadInput(f"--images {pattern}: no images there; {hint}.")


def _reference_files(pattern: str) -> list[Path]:
    files = _files(pattern, "--references")
    if not Path(pattern).is_dir():
        return files
    masks = [path for path in files if MASK.search(_stem(path))]
    found = masks or [path for path in files if not FLAIR.search(_stem(path))]
    if not found:
        raise BadInput(f"--references {pattern}: no masks there.")
    return found


def _files(pattern: str, option: str) -> list[Path]:
    """Image files in a folder and its real subfolders, or those that match a glob."""
    folder = Path(pattern)
    if folder.is_dir():
        candidates: Iterable[Path] = _walk(folder)
    else:
        candidates = [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]
        if not candidates:
            raise BadInput(f"{option} {pattern}: there is no such folder and no file matches.")
        return [path for path in candidates if path.is_dir() or _is_image(path)]
    return [path for path in candidates if _is_image(path)]


def _walk(folder: Path) -> list[Path]:
    """Files below a folder, hidden ones and links that leave it left out, by name."""
    root = folder.resolve()
    inside = [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.resolve().is_relative_to(root)
    ]
    return sorted(inside)


def _named(paths: Iterable[Path]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    taken: dict[str, Path] = {}
    for path in paths:
        name = case_name(path)
        if not SAFE.fullmatch(name) or len(name) > 200:
            raise BadInput(
                f"{path}: {name!r} cannot be a case name; use letters, digits, '.', '_' and '-', "
                "starting with a letter or digit."
            )
        if name.lower() in taken:
            raise BadInput(f"{taken[name.lower()]} and {path} have the same case name {name!r}.")
        taken[name.lower()] = named[name] = path
    return named


def _from_manifest(path: Path) -> list[CaseFiles]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"Cannot read the manifest {path}: {error}.") from None
    try:
        rows = list(csv.DictReader(text.splitlines(), skipinitialspace=True))
    except csv.Error as error:
        raise BadInput(f"{path} is not a CSV table: {error}.") from None
    if not rows or not {"case", "image"} <= set(rows[0]):
        raise BadInput(f"{path} is not a CSV table with the columns case,image[,reference].")
    cases: dict[str, CaseFiles] = {}
    for number, row in enumerate(rows, start=2):
        name, image = (row["case"] or "").strip(), (row["image"] or "").strip()
        reference = (row.get("reference") or "").strip()
        if not SAFE.fullmatch(name) or name.lower() in cases or not image:
            raise BadInput(f"{path}, line {number}: case {name!r} is unsafe, twice, or has no image.")
        cases[name.lower()] = CaseFiles(
            name, path.parent / image, path.parent / reference if reference else None
        )
    return sorted(cases.values(), key=lambda case: case.name)


def _stem(path: Path) -> str:
    name = path.name.lower()
    return next((name[: -len(e)] for e in ENDINGS if name.endswith(e)), name)


def _is_image(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith(ENDINGS)


def _holds_dicom(folder: Path) -> bool:
    """Whether the folder holds a file with DICOM's magic, or one named .dcm."""
    for path in sorted(folder.iterdir())[:20]:
        if path.suffix.lower() == ".dcm":
            return True
        if path.is_file():
            with path.open("rb") as file:
                file.seek(128)
                if file.read(4) == b"DICM":
                    return True
    return False
