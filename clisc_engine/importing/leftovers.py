"""Why images of a folder were not taken, and the line that counts them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

from clisc_engine.files.words import listed, shell_word
from clisc_engine.imaging.contrasts import (
    but_for_contrast,
    ends_with_t1_flair,
    is_other_alone,
    says_flair,
    says_other,
    without_other,
)
from clisc_engine.imaging.dicom import is_dicom_file
from clisc_engine.imaging.dicom.magic import is_aside
from clisc_engine.imaging.endings import ending_of, without_ending
from clisc_engine.importing.casefiles import case_name, says_flair_alone
from clisc_engine.importing.folders import Told
from clisc_engine.importing.listing import ARCHIVE, BROKEN_LINK, LINK, NO_IMAGE, LeftOut
from clisc_engine.importing.splits import subject_of
from clisc_engine.importing.times import scans_of_times, t1_flair

MASK_BY_NAME = "a mask by its name"
NO_MAGNITUDE = "a phase, real or imaginary part, no magnitude"
OF_ANOTHER_CHANNEL = "another channel of a case"
OF_A_CASE = "another image of a case that was taken"
OTHER_CONTRAST = "another contrast of a case that was taken"
NO_FLAIR_OF_CASE = "another contrast of a case without a FLAIR image"
ANOTHER_FLAIR = "another FLAIR image of a case that was taken"
NOT_FLAIR = "no FLAIR by its name, and of no case that was taken"
T1_FLAIR = "T1 FLAIR by its name, which is another contrast"
OTHER_FORMAT = "DICOM beside images in other formats"
OTHER_SERIES = "outside the series that were taken"

FETCH = "fetch the files first, e.g. with `datalad get`, `git annex get` or `dvc pull`"
"""What to do about links to nothing: those programs put them where a file is not on this machine."""

NAMED = 5
"""Files that are named in a line; `--dry-run` lists all."""


def of_another_name(
    paths: Iterable[Path], taken: Mapping[str, Path], by_folder: Collection[Path]
) -> Iterator[LeftOut]:
    """Images beside those that are called FLAIR; ``taken`` has these by case name.

    ``by_folder`` are the folders of cases that are told by these: all in one is of its case.
    """
    paths = list(paths)
    folders = {path.parent for path in taken.values()}
    own = set(by_folder)
    alike = {(path.parent, but_for_contrast(without_ending(path))) for path in taken.values()}
    weighted = t1_flair(paths)
    for path in paths:
        contrast = without_other(case_name(path))
        alone = is_other_alone(without_ending(path))
        of_case = not own.isdisjoint(path.absolute().parents)
        if path in weighted:
            yield LeftOut(path, T1_FLAIR, missed=True)
        elif alone or contrast != case_name(path):
            known = of_case or (path.parent in folders if alone else _is_taken(contrast, taken))
            yield LeftOut(path, OTHER_CONTRAST if known else NO_FLAIR_OF_CASE, missed=not known)
        elif (path.parent, but_for_contrast(without_ending(path))) in alike:
            yield LeftOut(path, OTHER_CONTRAST)
        elif behind := "_" if of_case else _behind(without_ending(path), taken):
            again = says_flair(behind)
            yield LeftOut(path, ANOTHER_FLAIR if again else OF_A_CASE, missed=again)
        else:
            yield LeftOut(path, NOT_FLAIR, missed=True)


def said_of_contrasts(paths: Iterable[Path]) -> list[str]:
    """A line on images that are taken although their names say another contrast than FLAIR."""
    paths = list(paths)
    times = scans_of_times(paths)
    others = [path.name for path in paths if path not in times and _says_other(without_ending(path))]
    if not others:
        return []
    return [
        f"{len(others)} images are taken whose names say another contrast than FLAIR: "
        f"{listed(others, NAMED)}. If they are not FLAIR, list the images in a CSV with the columns "
        "case,image, or name them with a quoted glob."
    ]


def _says_other(name: str) -> bool:
    """Whether a file's name says another contrast, T1 FLAIR too, and nowhere FLAIR."""
    return ends_with_t1_flair(name) or (says_other(name) and not says_flair(name))


def said_of_names(told: Mapping[Path, Told]) -> list[str]:
    """A line on cases that are named after their folders, and on those that may be one patient's."""
    if not told:
        return []
    first = next(iter(told))
    called = "FLAIR and no more" if says_flair_alone(first) else f"{without_ending(first)} and no more"
    deep = len(told[first].names) > 1
    names = sorted(one.case for one in told.values())
    line = (
        f"{len(told)} images are called {called}; each case has the name of its "
        f"{'folders' if deep else 'folder'}: {listed(names, NAMED)}."
    )
    outer = Counter(one.names[0] for one in told.values() if not subject_of(one.case))
    if deep and (several := [name for name, count in outer.items() if count > 1]):
        line += (
            f" If {several[0]} is a patient with several scans, see that they are in one split: --split "
            "takes a CSV with the columns case,split."
        )
    return [line]


def said_of_folders(folder: Path, paths: Collection[Path], option: str) -> list[str]:
    """A line on images that come from several folders, unless each case has a folder of its own.

    ``folder`` was named after ``option``.
    """
    counts = Counter(path.parent for path in paths)
    if len(counts) < 2 or (folder not in counts and len(paths) < 2 * len(counts)):
        return []
    parts = [f"{count} in {place}" for place, count in sorted(counts.items())]
    fullest = max(counts, key=lambda place: (counts[place], -len(place.parts)))
    alone = shell_word(fullest / f"*{_common_ending(path.name for path in paths)}")
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
            way_out or f"list them in a CSV with the columns case,image{_or_by_pattern(given, of_images)}"
        )
    return f"{text}."


def quoted_glob(given: str, ending: str) -> str:
    """A pattern for a folder's files, as a shell takes it."""
    path = Path(given)
    return f"'{path if path.is_dir() else path.parent}/{ending}'"


def _or_by_pattern(given: str, left_out: Sequence[LeftOut]) -> str:
    """That a pattern takes all images there, too; nothing where that would take other contrasts along."""
    missed = [one.path for one in left_out if one.reason == NOT_FLAIR]
    others = {one.reason for one in left_out} - {NOT_FLAIR, MASK_BY_NAME, LINK, BROKEN_LINK}
    if others or not missed or any(says_other(without_ending(path)) for path in missed):
        return ""
    deep = any(path.parent != Path(given) for path in missed)
    pattern = quoted_glob(given, f"{'**/' if deep else ''}*{ending_of(missed[0])}")
    return f", or name the images with a quoted glob, e.g. --images {pattern}"


def _counted(left_out: Sequence[LeftOut]) -> Iterator[str]:
    """Each reason with its number of files, and names where files may be missed."""
    for reason in dict.fromkeys(one.reason for one in left_out):
        same = [one for one in left_out if one.reason == reason]
        names = listed([one.path.name for one in same], NAMED)
        yield f"{len(same)} {reason}" + (f" ({names})" if same[0].missed else "")


def _common_ending(names: Iterable[str]) -> str:
    """What all of the names end with, from a mark on that begins a word, ``_flair.nii.gz`` or ``.nii``."""
    turned = sorted(name[::-1] for name in names)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(turned[0], turned[-1], strict=False))
    found = re.search(r"[-_.].*", "".join(letter for letter, _ in same)[::-1])
    return found[0] if found else ""


def _is_taken(name: str, taken: Collection[str]) -> bool:
    """Whether it is a taken case's name, with further contrasts or words but no numbers behind it."""
    while name not in taken and (shorter := without_other(name)) != name:
        name = shorter
    behind = _behind(name, taken)
    return name in taken or (behind != "" and not any(letter.isdigit() for letter in behind))


def _behind(stem: str, taken: Collection[str]) -> str:
    """What stands behind the longest name of a taken case that a file's name begins with; or nothing."""
    ends = [found.start() for found in re.finditer(r"[-_.]", stem)]
    return next((stem[end:] for end in reversed(ends) if stem[:end] in taken), "")
