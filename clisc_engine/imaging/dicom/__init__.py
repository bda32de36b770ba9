"""DICOM: a folder's FLAIR series or a multi-frame file as one volume whose every slice is accounted for.

pydicom reads headers and pixels, highdicom has the last word on the grid; SimpleITK only decodes what
pydicom has no decoder for. SimpleITK's reader of series is not used: it stacks whatever files it gets and
spreads them evenly. Reading a NIfTI file loads neither package.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from clisc_engine.imaging.dicom.magic import is_aside, is_dicom
from clisc_engine.imaging.geometry import Volume

__all__ = [
    "flair_folder",
    "holds_dicom",
    "is_dicom_file",
    "one_case_a_file",
    "parts_of_series",
    "read_dicom",
    "size_and_spacing",
]


def is_dicom_file(path: Path) -> bool:
    """Whether a path is a file of DICOM, by its first bytes or its ending .dcm."""
    try:
        return path.is_file() and (path.suffix.lower() == ".dcm" or is_dicom(path))
    except OSError:
        return False  # whoever reads the file says why it cannot be read


def holds_dicom(folder: Path) -> bool:
    """Whether the folder itself holds a file of DICOM; the index of a disc (DICOMDIR) does not count."""
    return any(is_dicom_file(path) for path in sorted(folder.iterdir()) if not is_aside(path))


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
    from clisc_engine.imaging.dicom.choice import flair_of_folders

    return flair_of_folders(patient, folders)


def one_case_a_file(folder: Path) -> list[Path]:
    """The multi-frame files of a folder that holds only these, each of another study; else nothing."""
    from clisc_engine.imaging.dicom.choice import multi_frame_files

    return multi_frame_files(folder)


def parts_of_series(folders: Iterable[Path]) -> dict[tuple[Path, ...], str]:
    """Folders that hold, with others of these or with folders in them, parts of one series; in words."""
    dicom = [path for path in folders if path.is_dir()]
    if not dicom:
        return {}
    from clisc_engine.imaging.dicom.parted import parted_series

    below = (path for folder in dicom for path in sorted(folder.rglob("*")) if path.is_dir())
    return parted_series(dict.fromkeys([*dicom, *below]))


def read_dicom(path: Path) -> Volume:
    """A folder's FLAIR series, or a multi-frame file, as a volume of float32.

    Its notes tell what was left out, and what may be wrong.

    Raises:
        BadInput: when there is none, it is no evenly spaced volume of one image, or a file is damaged.
    """
    from clisc_engine.imaging.dicom.choice import stack_at

    stack = stack_at(path)
    return Volume(stack.values(), stack.geometry, str(path), stack.notes)


def size_and_spacing(path: Path) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    """What `read_dicom` gives, along (x, y, z), with its refusals as far as headers tell."""
    from clisc_engine.imaging.dicom.choice import stack_at

    stack = stack_at(path)
    return stack.size, stack.spacing
