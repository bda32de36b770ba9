"""DICOM folders: which folder and which series in it is the FLAIR one."""

from __future__ import annotations

import re
from pathlib import Path

import SimpleITK as sitk

from clisc_engine.errors import BadInput
from clisc_engine.imaging.geometry import words
from clisc_engine.imaging.headers import check_grid
from clisc_engine.imaging.itk import reason

DESCRIPTION = "0008|103e"
FLAIR = re.compile(r"flair|dark[ _-]?fluid", re.IGNORECASE)


def holds_dicom(folder: Path) -> bool:
    """Whether the folder itself holds a file with DICOM's magic, or one named .dcm."""
    for path in sorted(folder.iterdir())[:20]:
        if path.name.startswith(".") or not path.is_file():
            continue
        if path.suffix.lower() == ".dcm":
            return True
        with path.open("rb") as file:
            file.seek(128)
            if file.read(4) == b"DICM":
                return True
    return False


def series_of(folder: Path) -> dict[str, str]:
    """The series in a folder: their identifiers, each with its description (empty without one)."""
    found = {}
    for identifier in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder)):
        files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), identifier)
        found[identifier] = _description(files[0]) if files else ""
    return found


def flair_folder(patient: Path) -> Path | None:
    """The folder at or below a patient's that holds the FLAIR series; None without any DICOM file.

    Where several folders hold series, the one counts whose name or series description says FLAIR.

    Raises:
        BadInput: when none of several says so, or more than one.
    """
    folders = [
        path for path in (patient, *sorted(patient.rglob("*"))) if path.is_dir() and holds_dicom(path)
    ]
    if len(folders) < 2:
        return folders[0] if folders else None
    flair = [path for path in folders if FLAIR.search(path.name) or _says_flair(path)]
    if len(flair) == 1:
        return flair[0]
    named = ", ".join(path.relative_to(patient).as_posix() for path in flair or folders)
    raise BadInput(
        f"{patient} holds DICOM series in {len(folders)} folders, and "
        f"{'more than one says' if flair else 'none of them says'} that it is FLAIR ({named}); name "
        "the folders with a glob, or list them in a CSV with the columns case,image."
    )


def flair_series(folder: Path) -> str:
    """Identifier of the folder's one series, or of several the one whose description says FLAIR.

    Raises:
        BadInput: when there is none, or the choice is not clear.
    """
    found = series_of(folder)
    if not found:
        raise BadInput(f"{folder} holds no DICOM series.")
    if len(found) == 1:
        return next(iter(found))
    flair = [identifier for identifier, text in found.items() if FLAIR.search(text)]
    if len(flair) == 1:
        return flair[0]
    listed = ", ".join(f"{name} ({text or 'no description'})" for name, text in list(found.items())[:4])
    raise BadInput(
        f"{folder} holds {len(found)} DICOM series and {'several say' if flair else 'none says'} that it "
        f"is FLAIR: {listed}; give a folder with the FLAIR series alone."
    )


def read_series(folder: Path) -> tuple[sitk.Image, tuple[str, ...]]:
    """The folder's FLAIR series as a 3-D image, and sentences for the user: what was left out.

    Raises:
        BadInput: when there is none, or it is no volume.
    """
    series = flair_series(folder)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series))
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise BadInput(f"The DICOM series in {folder} cannot be read: {reason(error)}.") from error
    if image.GetDimension() != 3 or min(image.GetSize()) < 2:
        raise BadInput(f"The DICOM series in {folder} is {words(image.GetSize())}, not a volume.")
    check_grid(folder, image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    return image, ()


def _says_flair(folder: Path) -> bool:
    return any(FLAIR.search(text) for text in series_of(folder).values())


def _description(file: str) -> str:
    reader = sitk.ImageFileReader()
    reader.SetFileName(file)
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return ""
    return reader.GetMetaData(DESCRIPTION).strip() if reader.HasMetaDataKey(DESCRIPTION) else ""
