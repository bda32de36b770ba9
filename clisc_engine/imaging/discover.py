"""Finding cases in a folder, a glob or a manifest, and pairing images with references by name."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clisc_engine.case_names import Names, normal
from clisc_engine.errors import BadInput
from clisc_engine.tables import read_table

ENDINGS = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
FLAIR = re.compile(r"[-_](flair|t2f|t2-flair|t2_flair|0000)$", re.IGNORECASE)
MASK = re.compile(r"[-_](seg|mask|label|labels|reference|dseg)$", re.IGNORECASE)


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
    name = normal(path.name)
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
    folders = [p for p in sorted(Path(pattern).iterdir()) if p.is_dir() and _is_inside(p, Path(pattern))]
    if series := [folder for folder in folders if _holds_dicom(folder)]:
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
    inside = [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and _is_inside(path, folder)
    ]
    return sorted(inside)


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether the path, its links followed, lies in the folder."""
    return path.resolve().is_relative_to(folder.resolve())


def _named(paths: Iterable[Path]) -> dict[str, Path]:
    names = Names()
    return {names.take(case_name(path), str(path)): path for path in paths}


def _from_manifest(path: Path) -> list[CaseFiles]:
    names = Names()
    cases: list[CaseFiles] = []
    for row in read_table(path, ("case", "image"), "case,image[,reference]"):
        where = f"{path}, line {row.line}"
        name = names.take(row.values["case"], where)
        image, reference = row.values["image"], row.values.get("reference", "")
        if not image or "\0" in image + reference:
            raise BadInput(f"{where}: case {name!r} has no image.")
        cases.append(CaseFiles(name, path.parent / image, path.parent / reference if reference else None))
    return sorted(cases, key=lambda case: case.name)


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
