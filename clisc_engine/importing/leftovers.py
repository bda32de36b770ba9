"""Why images of a folder were not taken, and the line that counts them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from clisc_engine.files.words import listed, shell_word
from clisc_engine.imaging.dicom import is_dicom_file
from clisc_engine.imaging.dicom.magic import is_aside
from clisc_engine.imaging.endings import without_ending
from clisc_engine.importing.casefiles import case_name, says_flair, says_flair_alone
from clisc_engine.importing.listing import ARCHIVE, BROKEN_LINK, LINK, NO_IMAGE, LeftOut

MASK_BY_NAME = "a mask by its name"
NO_MAGNITUDE = "a phase, real or imaginary part, no magnitude"
OF_ANOTHER_CHANNEL = "another channel of a case"
OF_A_CASE = "another image of a case that was taken"
OTHER_CONTRAST = "another contrast of a case that was taken"
NO_FLAIR_OF_CASE = "another contrast of a case without a FLAIR image"
NOT_FLAIR = "no FLAIR by its name, and of no case that was taken"
OTHER_FORMAT = "DICOM beside images in other formats"
OTHER_SERIES = "outside the series that were taken"

FETCH = "fetch the files first, e.g. with `datalad get`, `git annex get` or `dvc pull`"
"""What to do about links to nothing: those programs put them where a file is not on this machine."""

NAMED = 5
"""Files that are named in a line; `--dry-run` lists all."""

_CONTRAST = re.compile(
    r"[-_](?:t1|t1w|t1n|t1c|t1ce|t1gd|t1post|t1[-_]post|t1km|t2|t2w|t2star|t2starw|pd|pdw|adc|dwi|swi|asl|"
    r"perf|cbv|cbf|dsc|dce|md|fa|bold|ct|mrs)$",
    re.IGNORECASE,
)


def of_another_name(paths: Iterable[Path], taken: Mapping[str, Path]) -> Iterator[LeftOut]:
    """Images beside those that are called FLAIR; ``taken`` has these by case name."""
    folders = {path.parent for path in taken.values()}
    by_folder = {
        path.parent
        for name, path in taken.items()
        if says_flair_alone(path) and name == path.absolute().parent.name
    }
    for path in paths:
        contrast = _CONTRAST.sub("", case_name(path))
        alone = _CONTRAST.fullmatch(f"_{without_ending(path)}")
        if alone or contrast != case_name(path):
            known = path.parent in folders if alone else contrast in taken
            yield LeftOut(path, OTHER_CONTRAST if known else NO_FLAIR_OF_CASE, missed=not known)
        elif path.parent in by_folder or _belongs(without_ending(path), taken):
            yield LeftOut(path, OF_A_CASE)
        else:
            yield LeftOut(path, NOT_FLAIR, missed=True)


def said_of_contrasts(paths: Iterable[Path]) -> list[str]:
    """A line on images that are taken although their names say another contrast than FLAIR."""
    others = [path.name for path in paths if _CONTRAST.search(f"_{without_ending(path)}")]
    if not others:
        return []
    return [
        f"{len(others)} images are taken whose names say another contrast than FLAIR: "
        f"{listed(others, NAMED)}. If they are not FLAIR, list the images in a CSV with the columns "
        "case,image, or name them with a quoted glob."
    ]


def said_of_names(by_folder: Mapping[Path, str]) -> list[str]:
    """A line on cases that are named after their folders."""
    if not by_folder:
        return []
    return [
        f"{len(by_folder)} images are called FLAIR and no more; each case has the name of its folder: "
        f"{listed(sorted(by_folder.values()), NAMED)}."
    ]


def said_of_folders(folder: Path, paths: Collection[Path], option: str) -> list[str]:
    """A line on images that come from several folders, unless each case has a folder of its own.

    ``folder`` was named after ``option``.
    """
    counts = Counter(path.parent for path in paths)
    if len(counts) < 2 or (folder not in counts and len(paths) < 2 * len(counts)):
        return []
    parts = [f"{count} in {place}" for place, count in sorted(counts.items())]
    ending = "".join(next(iter(paths)).suffixes[-2:])
    fullest = max(counts, key=lambda place: (counts[place], -len(place.parts)))
    alone = shell_word(fullest / f"*{ending}")
    return [
        f"{len(paths)} images are taken from {len(counts)} folders: {listed(parts, NAMED)}. To take one "
        f"folder's alone, name its files with a quoted glob: {option}{alone}."
    ]


def beside_images(left_out: Iterable[LeftOut]) -> list[LeftOut]:
    """The same; a DICOM file there may be a patient's that somebody misses."""
    return [
        LeftOut(one.path, OTHER_FORMAT, missed=True, image=False)
        if one.reason == NO_IMAGE and is_dicom_file(one.path) and not is_aside(one.path)
        else one
        for one in left_out
    ]


def beside_series(left_out: Iterable[LeftOut], series: Collection[Path]) -> list[LeftOut]:
    """Those of them that belong to no DICOM series that was taken."""
    others = [one for one in left_out if not any(one.path.is_relative_to(folder) for folder in series)]
    return [replace(one, reason=OTHER_SERIES) if one.reason == NO_IMAGE else one for one in others]


def no_images(given: str, left_out: Sequence[LeftOut], option: str) -> str:
    """That there is no image, and what the files there are; ``option`` is how ``given`` was called."""
    reasons = {one.reason for one in left_out}
    if LINK in reasons:
        hint = "the links there lead out of the folder; --follow-links takes what they lead to"
    elif BROKEN_LINK in reasons:
        hint = f"the links there lead to nothing; {FETCH}"
    elif packed := [one.path.name for one in left_out if one.reason == ARCHIVE]:
        hint = f"{packed[0]} is an archive; unpack it first"
    elif by_name := {MASK_BY_NAME, NO_MAGNITUDE} & reasons:
        way_out = "list images in a CSV with the columns case,image" if option else "name images one by one"
        what = "masks" if MASK_BY_NAME in by_name else "parts of complex images, no magnitudes"
        hint = f"by their names the files there are {what}; {way_out}"
    else:
        hint = "clisc reads NIfTI, NRRD, MHA and DICOM folders"
    return f"{option}{given}: no images there; {hint}."


def account(
    given: str,
    images: int,
    references: int,
    left_out: Sequence[LeftOut],
    way_out: str = "",
    skipped: int = 0,
) -> str:
    """One line on what was taken of the images there and what not; empty when nothing was left out.

    Args:
        given: what ``--images`` is.
        images: how many were taken.
        references: how many masks were taken.
        left_out: all that was not taken.
        way_out: how to take those that may be missed; by default, that of ``init``.
        skipped: how many images could not be taken for their names.
    """
    if not left_out:
        return ""
    of_images = [one for one in left_out if one.image]
    others = [one for one in left_out if not one.image]
    took = f"{images} of {images + references + skipped + len(of_images)} image files"
    if references:
        took += f" as images and {references} as references"
    text = f"Took {took} of {given}"
    if of_images:
        text += f"; left out {len(of_images)}: {', '.join(_counted(of_images))}"
    if skipped:
        text += f"; skipped {skipped}"
    if others:
        text += f"; and {len(others)} other files: {', '.join(_counted(others))}"
    missed = {one.reason for one in of_images if one.missed}
    if LINK in missed:
        text += ". --follow-links takes what links lead to"
    if BROKEN_LINK in missed:
        text += f". To read what links to nothing stand for, {FETCH}"
    if missed - {LINK, BROKEN_LINK}:
        text += f". To take {'the others' if missed & {LINK, BROKEN_LINK} else 'those'}, " + (
            way_out
            or "list them in a CSV with the columns case,image, or name the images with a quoted glob, "
            f"e.g. --images {quoted_glob(given)}"
        )
    return f"{text}."


def quoted_glob(given: str, ending: str = "*.nii.gz") -> str:
    """A pattern for a folder's files, as a shell takes it."""
    path = Path(given)
    return f"'{path if path.is_dir() else path.parent}/{ending}'"


def _counted(left_out: Sequence[LeftOut]) -> Iterator[str]:
    """Each reason with its number of files, and names where files may be missed."""
    for reason in dict.fromkeys(one.reason for one in left_out):
        same = [one for one in left_out if one.reason == reason]
        names = listed([one.path.name for one in same], NAMED)
        yield f"{len(same)} {reason}" + (f" ({names})" if same[0].missed else "")


def _belongs(stem: str, taken: Mapping[str, Path]) -> bool:
    """Whether the name is a taken case's with something after it that does not say FLAIR."""
    ends = [found.start() for found in re.finditer(r"[-_.]", stem)]
    return any(stem[:end] in taken and not _says_flair(stem[end:]) for end in ends)


def _says_flair(text: str) -> bool:
    return "flair" in text.lower() or says_flair(Path(text))
