"""Which folder, and which series in it, is the FLAIR image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.files.case_names import is_case_name
from clisc_engine.files.words import counted, listed
from clisc_engine.imaging.contrasts import says_flair, says_other
from clisc_engine.imaging.dicom.frames import Frame
from clisc_engine.imaging.dicom.parted import in_words, lie_apart
from clisc_engine.imaging.dicom.scan import Damaged, Found, look_through
from clisc_engine.imaging.dicom.stack import Stack, stack_of

IN_A_CSV = "list them in a CSV with the columns case,image"


def stack_at(path: Path) -> Stack:
    """The slices of a folder's FLAIR series or of a multi-frame file, in order and on their grid.

    Raises:
        BadInput: see `clisc_engine.imaging.dicom.read_dicom`.
    """
    found = look_through(path)
    if not found.frames and not found.damaged:
        what = "; ".join(found.others) or "an index or no DICOM"
        raise BadInput(f"{path} holds no DICOM series of images ({what}); give the folder of its slices.")
    series = _series(found.frames)
    chosen, notes = _flair_series(path, series) if series else ("", [])
    _refuse_damaged(path, found.damaged, chosen)
    frames = series[chosen]
    if path.is_file() and len(frames) == 1:
        raise BadInput(f"{path} holds one slice, not a volume; give the folder of the whole series.")
    stack = stack_of(path, frames)
    return stack.with_notes(*notes, *_of_others(path, found, chosen))


def flair_of_folders(patient: Path, folders: Sequence[Path]) -> Path | None:
    """Of several folders with DICOM files the one with the FLAIR series; see `flair_folder`."""
    series = {folder: _series(look_through(folder).frames) for folder in folders}
    with_images = [folder for folder in folders if series[folder]]
    if len(with_images) < 2:
        return (with_images or list(folders))[0]
    flair = [
        folder
        for folder in with_images
        if says_flair(folder.name) or any(_says_flair(frames) for frames in series[folder].values())
    ]
    _refuse_parts(series, flair or with_images)
    if len(flair) == 1:
        every = [frames for folder in with_images for frames in series[folder].values()]
        _refuse_patients(patient, every, _one_each(with_images))
        return flair[0]
    named = ", ".join(path.relative_to(patient).as_posix() for path in flair or with_images)
    raise BadInput(
        f"{patient} holds DICOM series in {len(with_images)} folders, and "
        f"{'more than one says' if flair else 'none of them says'} that it is FLAIR ({named}); "
        f"{_one_each(flair or with_images)}."
    )


def _one_each(folders: Iterable[Path]) -> str:
    """How to say which of the folders are cases: by a glob only where their names can be cases' names."""
    named = all(is_case_name(folder.name) for folder in folders)
    return f"name the folders with a glob, or {IN_A_CSV}" if named else IN_A_CSV


def _refuse_parts(series: Mapping[Path, Mapping[str, list[Frame]]], wanted: Sequence[Path]) -> None:
    """Refuse folders of which one that is wanted holds a part of a series, and another the rest."""
    for name in dict.fromkeys(name for folder in wanted for name in series[folder]):
        parts = {folder: of[name] for folder, of in series.items() if name in of}
        if lie_apart(parts):
            raise BadInput(in_words(name, parts))


def multi_frame_files(folder: Path) -> list[Path]:
    """The files of a folder that holds only multi-frame files, each of another study; else nothing."""
    found = look_through(folder)
    files = {frame.file: frame for frame in found.frames}
    alone = len(files) > 1 and not found.damaged and all(frame.of > 1 for frame in files.values())
    return list(files) if alone and len({frame.study for frame in files.values()}) == len(files) else []


def _series(frames: Sequence[Frame]) -> dict[str, list[Frame]]:
    """The slices by series, in the order of their files."""
    found: dict[str, list[Frame]] = {}
    for frame in frames:
        found.setdefault(frame.series, []).append(frame)
    return found


def _flair_series(path: Path, series: Mapping[str, list[Frame]]) -> tuple[str, list[str]]:
    """The one series, or of several the one whose description says FLAIR; and what to say of the others.

    Localizers and screenshots do not count beside others.
    """
    volumes = {name: frames for name, frames in series.items() if not _is_aside(frames)} or dict(series)
    if len(volumes) == 1:
        chosen = next(iter(volumes))
        aside = [f"{_title(frames)} ({len(frames)})" for name, frames in series.items() if name != chosen]
        text = f"{path}: left out the localizers or pictures beside the series: {', '.join(aside)}."
        return chosen, [*([text] if aside else []), *_of_contrast(path, volumes[chosen])]
    flair = [name for name, frames in volumes.items() if _says_flair(frames)]
    if len(flair) == 1:
        _refuse_patients(path, volumes.values(), "put each one's files into a folder of its own")
        beside = [
            f"{_title(frames)} ({len(frames)})" for name, frames in series.items() if name != flair[0]
        ]
        return flair[0], [
            f"{path}: took the series {_title(series[flair[0]])}; left out {', '.join(beside)}."
        ]
    named = ", ".join(f"{name} ({_title(frames)})" for name, frames in list(volumes.items())[:4])
    raise BadInput(
        f"{path} holds {len(volumes)} DICOM series and {'several say' if flair else 'none says'} that it "
        f"is FLAIR: {named}; give a folder with the FLAIR series alone."
    )


def _refuse_patients(path: Path, series: Iterable[Sequence[Frame]], remedy: str) -> None:
    """Refuse a choice among the series of several patients: the others would be lost without a word."""
    patients = sorted({frame.patient for frames in series for frame in frames if frame.patient})
    if len(patients) > 1:
        raise BadInput(
            f"{path} holds DICOM series of {len(patients)} patients ({listed(patients, 3)}), of which one "
            f"alone says that it is FLAIR; {remedy}."
        )


def _is_aside(frames: Sequence[Frame]) -> bool:
    return all("LOCALIZER" in frame.kind or frame.position is None or frame.colour for frame in frames)


def _says_flair(frames: Sequence[Frame]) -> bool:
    return says_flair(frames[0].description)


def _of_contrast(path: Path, frames: Sequence[Frame]) -> list[str]:
    """A sentence where the one series there is called after another contrast than FLAIR."""
    title = _title(frames)
    if _says_flair(frames) or not says_other(title) or "tirm" in title.lower():
        return []
    return [
        f"{path}: the one series there is called {title}, another contrast than FLAIR; look whether it is "
        "FLAIR."
    ]


def _title(frames: Sequence[Frame]) -> str:
    return frames[0].description or "no description"


def _refuse_damaged(path: Path, damaged: Sequence[Damaged], chosen: str) -> None:
    """Refuse a series of which files are damaged, or may be."""
    own = [one for one in damaged if not chosen or one.series in ("", chosen)]
    if not own:
        return
    where = f"{path} is damaged ({own[0].why})"
    if path.is_dir():
        files = "file is" if len(own) == 1 else "files are"
        named = listed([f"{one.file.name}: {one.why}" for one in own], 4)
        where = f"{path}: {len(own)} DICOM {files} damaged ({named})"
    raise BadInput(f"{where}. Copy or export the series again.")


def _of_others(path: Path, found: Found, chosen: str) -> list[str]:
    """What to say of files that are no slices of the series."""
    notes = [
        f"{path}: {one.file.name}, of another series, is damaged and left out: {one.why}."
        for one in found.damaged
        if one.series != chosen
    ]
    if found.others:
        named = ", ".join(f"{kind} ({files[0].name})" for kind, files in found.others.items())
        count = counted(sum(map(len, found.others.values())), "DICOM file")
        notes.append(f"{path}: left out {count} without images: {named}.")
    return notes
