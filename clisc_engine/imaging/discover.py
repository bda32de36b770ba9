"""Finding cases in a folder, a glob or a manifest, and pairing images with references by name."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from clisc_engine.case_names import Names, why_no_case_name
from clisc_engine.errors import BadInput
from clisc_engine.imaging.casefiles import (
    BRAIN_MASK,
    ENDINGS,
    FLAIR,
    MASK,
    CaseFiles,
    case_name,
    without_ending,
)
from clisc_engine.imaging.channels import NUMBERED, flair_channel, of_channel
from clisc_engine.imaging.dicom import flair_folder, holds_dicom
from clisc_engine.imaging.manifest import read_manifest


def find_cases(
    images: str,
    references: str | None,
    channel: str | None = None,
    unnamed: dict[Path, str] | None = None,
) -> list[CaseFiles]:
    """All cases, by name.

    ``images`` is a folder, a glob or a CSV manifest (``case,image[,reference][,split]``). In a folder the
    FLAIR images are taken (``*_flair``, ``*-t2f``, ``*_FLAIR``), from it and its subfolders; if there are
    none so named, all images that are not masks; if there are none at all, the DICOM series in it. A
    case's name is the file's name without those endings. In a data set of nnU-Net or the Medical
    Segmentation Decathlon, ``imagesTr`` and ``labelsTr`` are taken.

    Args:
        images: see above.
        references: folder or glob of masks.
        channel: number or name of the FLAIR channel, where images have several and the data set's
            dataset.json does not say which it is.
        unnamed: gets the images whose names are not safe for a folder, each with the reason.

    Raises:
        BadInput: when there is no image, two have one name, a name is not safe for a folder (without
            ``unnamed``), or a reference has no image, or it is not clear which channel is FLAIR.
    """
    if images.lower().endswith(".csv"):
        if references is not None:
            raise BadInput(f"--references does not go with {images}; give its masks a column `reference`.")
        return _with_channel(read_manifest(Path(images)), channel)
    cases = _images(images, channel, unnamed)
    masks = _paired({case.name: case.image for case in cases}, references) if references else {}
    return sorted(
        (replace(case, reference=masks.get(case.name)) for case in cases), key=lambda case: case.name
    )


def _images(pattern: str, channel: str | None, unnamed: dict[Path, str] | None) -> list[CaseFiles]:
    """The cases with their images."""
    files = _files(pattern, "--images", "imagesTr")
    images = [path for path in files if not _is_mask(path)]
    named = {path: case_name(path) for path in images}
    if not Path(pattern).is_dir():
        return _with_channel(_cases(named, unnamed), channel)
    if flair := [path for path in images if FLAIR.search(without_ending(path))]:
        return _with_channel(_cases({path: named[path] for path in flair}, unnamed), channel)
    if stems := _numbered_by_channel(images):
        folder = images[0].parent
        chosen = of_channel(stems, flair_channel(folder, channel), str(folder))
        without = {path: case_name(Path(stems[path].rsplit("_", 1)[0])) for path in chosen}
        return _cases(without, unnamed)
    if images:
        return _with_channel(_cases(named, unnamed), channel)
    if series := _dicom(Path(pattern)):
        return _cases(series, unnamed)
    hint = (
        f"the links there lead out of the folder: name them, --images '{pattern}/*'"
        if any(path.is_symlink() for path in Path(pattern).iterdir())
        else "clisc reads NIfTI, NRRD, MHA and DICOM folders"
    )
    raise BadInput(f"--images {pattern}: no images there; {hint}.")


def _numbered_by_channel(images: Iterable[Path]) -> dict[Path, str]:
    """The files' stems if all are ``case_NNNN`` and each case has a ``case_0000``; else nothing."""
    stems = {path: without_ending(path) for path in images}
    found = [NUMBERED.fullmatch(stem) for stem in stems.values()]
    cases = {match["case"] for match in found if match}
    with_first = {match["case"] for match in found if match and match["channel"] == "0000"}
    return stems if all(found) and cases == with_first else {}


def _dicom(folder: Path) -> dict[Path, str]:
    """DICOM folders and their cases: the folder itself if it holds series, else one of each subfolder."""
    if holds_dicom(folder):
        return {folder: folder.absolute().name}
    subfolders = [
        path
        for path in sorted(folder.iterdir())
        if path.is_dir() and path.name[0] != "." and _is_inside(path, folder)
    ]
    return {series: path.name for path in subfolders if (series := flair_folder(path)) is not None}


def _with_channel(cases: list[CaseFiles], wanted: str | None) -> list[CaseFiles]:
    return [replace(case, channel=flair_channel(case.image.parent, wanted)) for case in cases]


def _paired(images: Mapping[str, Path], references: str) -> dict[str, Path]:
    """The reference masks by the case name of their image.

    A mask of another name belongs to the one image beside it (BraTS 2020 has such a one).
    """
    found = _cases({path: case_name(path) for path in _masks(references, set(images.values()))})
    masks = {case.name: case.image for case in found}
    for name in [name for name in masks if name not in images]:
        mask = masks.pop(name)
        beside = [case for case, image in images.items() if image.parent == mask.parent]
        if len(beside) != 1 or beside[0] in masks:
            raise BadInput(f"The reference {mask} has no image of the case name {name!r}.")
        masks[beside[0]] = mask
    return masks


def _masks(pattern: str, images: set[Path]) -> list[Path]:
    files = [path for path in _files(pattern, "--references", "labelsTr") if path not in images]
    if not Path(pattern).is_dir():
        return files
    masks = [path for path in files if _is_mask(path) and not BRAIN_MASK.search(without_ending(path))]
    found = masks or [path for path in files if not FLAIR.search(without_ending(path))]
    if not found:
        raise BadInput(f"--references {pattern}: no masks there.")
    return found


def _files(pattern: str, option: str, part: str) -> list[Path]:
    """Image files in a folder and its real subfolders, or those that match a glob.

    Of a data set with the folder ``part``, those in that one.
    """
    folder = Path(pattern)
    if folder.is_dir():
        within = folder / part if (folder / part).is_dir() else folder
        return [path for path in _walk(within) if _is_image(path)]
    candidates = [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]
    if not candidates:
        raise BadInput(f"{option} {pattern}: there is no such folder and no file matches.")
    return [path for path in candidates if path.is_dir() or _is_image(path)]


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


def _cases(named: Mapping[Path, str], unnamed: dict[Path, str] | None = None) -> list[CaseFiles]:
    """The files as cases of these names, which are to be different, and safe if they are not set apart."""
    names = Names()
    if unnamed is not None:
        bad = {path: why for path, name in named.items() if (why := why_no_case_name(name, str(path)))}
        unnamed |= bad
        named = {path: name for path, name in named.items() if path not in bad}
    return [CaseFiles(names.take(name, str(path)), path) for path, name in named.items()]


def _is_mask(path: Path) -> bool:
    return MASK.search(without_ending(path)) is not None


def _is_image(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith(ENDINGS)
