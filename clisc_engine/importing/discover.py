"""Finding cases in a folder, a glob or a manifest, and pairing images with references by name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.files.case_names import sift, why_no_case_name
from clisc_engine.imaging import contrasts
from clisc_engine.imaging.dicom import flair_folder, holds_dicom, one_case_a_file, parts_of_series
from clisc_engine.imaging.endings import without_ending
from clisc_engine.importing.casefiles import (
    CaseFiles,
    case_name,
    says_flair,
    says_mask,
    says_no_magnitude,
)
from clisc_engine.importing.channels import NUMBERED, flair_channel, of_channel
from clisc_engine.importing.folders import told_by_folders
from clisc_engine.importing.found import Found
from clisc_engine.importing.leftovers import (
    MASK_BY_NAME,
    NO_MAGNITUDE,
    OF_ANOTHER_CHANNEL,
    account,
    beside_images,
    beside_series,
    no_images,
    of_another_name,
    said_of_contrasts,
    said_of_folders,
    said_of_names,
)
from clisc_engine.importing.listing import LeftOut, listing
from clisc_engine.importing.manifest import read_manifest
from clisc_engine.importing.pairing import OWN_MASK, pair
from clisc_engine.importing.times import scans_of_times, t1_flair

OWN_NAMES = "`clisc init` takes a CSV with the columns case,image that gives each a name of its own."
SEPARATELY = "Give them in separate calls, each with a folder of its own (-o)."
"""The way out where there are no options, and so no table either."""


def find_cases(
    images: str,
    references: str | None,
    channel: str | None = None,
    unnamed: dict[Path, str] | None = None,
    remarks: list[str] | None = None,
    *,
    follow_links: bool = False,
) -> list[CaseFiles]:
    """All cases, by name; see `search`. Errors name no option.

    ``unnamed`` gets the images whose names are not safe for a folder, each with the reason, ``remarks``
    what is to be said of images that were taken, or may be missed among those that were not.

    Raises:
        BadInput: like `search`, and when two cases have one name, or without ``unnamed`` an unsafe one.
    """
    found = search(images, references, channel, follow_links=follow_links, option="")
    bad = [
        reason for reason in found.bad.values() if unnamed is None or reason not in found.unnamed.values()
    ]
    if bad:
        raise BadInput(bad[0])
    if unnamed is not None:
        unnamed |= found.unnamed
    if remarks is not None:
        remarks += found.notes
        if any(one.missed for one in found.left_out):
            remarks.append(
                account(images, len(found.cases), 0, found.left_out, "name the files themselves")
            )
    return found.cases


def search(
    images: str,
    references: str | None,
    channel: str | None = None,
    *,
    skip_bad: bool = False,
    follow_links: bool = False,
    option: str = "--images ",
) -> Found:
    """All cases, those whose names are bad, and what was left out.

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
        skip_bad: leave out references without an image, and patients whose FLAIR series is not clear.
        follow_links: take what links out of a folder lead to, too.
        option: stands before ``images`` in errors.

    Raises:
        BadInput: when there is no image, or a reference has none, or it is not clear which channel is
            FLAIR.
    """
    if is_table(images):
        if references is not None:
            raise BadInput(f"--references does not go with {images}; give its masks a column `reference`.")
        cases, bad = read_manifest(Path(images))
        return _whole(Found(_with_channel(cases, channel), bad, images=len(cases) + len(bad)))
    found = _whole(_images(images, channel, skip_bad, follow_links, option))
    if references is not None and (skip_bad or not found.bad):
        _add_references(found, references, skip_bad, follow_links)
    found.cases.sort(key=lambda case: case.name)
    return found


def _whole(found: Found) -> Found:
    """The same; DICOM folders that hold but a part of a series are bad."""
    folders = {case.image: case.name for case in found.cases if case.image.is_dir()}
    for parts, reason in parts_of_series(folders).items():
        found.bad |= {folders[folder]: reason for folder in parts if folder in folders}
    found.cases = [case for case in found.cases if case.name not in found.bad]
    return found


def is_table(given: str) -> bool:
    """Whether it is a table by its ending, and no folder of such a name."""
    return given.lower().endswith((".csv", ".tsv")) and not Path(given).is_dir()


def _images(given: str, channel: str | None, skip_bad: bool, follow_links: bool, option: str) -> Found:
    """The cases with their images."""
    listed = listing(given, option, "imagesTr", follow_links=follow_links)
    others = {path: MASK_BY_NAME for path in listed.files if says_mask(path)}
    others |= {path: NO_MAGNITUDE for path in listed.files if says_no_magnitude(path)}
    images = [path for path in listed.files if path not in others]
    left_out = [*beside_images(listed.left_out), *(LeftOut(path, why) for path, why in others.items())]
    if listed.folder is None:
        if not images:
            raise BadInput(no_images(given, left_out, option))
        found = _by_name(images, (), left_out, channel, option)
        found.notes += said_of_contrasts(images)
        return found
    if flair := _flair(images):
        chosen = set(flair)
        beside = [path for path in images if path not in chosen]
        found = _by_name(flair, beside, left_out, channel, option)
        found.notes += said_of_folders(listed.folder, flair, option)
        return found
    if stems := _numbered_by_channel(images):
        return _of_one_channel(stems, left_out, channel, option)
    if images:
        found = _by_name(images, (), left_out, channel, option)
        found.notes += [*said_of_contrasts(images), *said_of_folders(listed.folder, images, option)]
        return found
    series, unclear = _dicom(listed.folder, skip_bad, follow_links)
    if not series and not unclear:
        raise BadInput(no_images(given, left_out, option))
    found = _named(series, beside_series(listed.left_out, series), option)
    found.bad |= unclear
    found.images += len(unclear)
    return found


def _flair(images: Sequence[Path]) -> list[Path]:
    """Those of the images whose names end with FLAIR, else those that say it anywhere beside others."""
    weighted = t1_flair(images)
    flair = [path for path in images if says_flair(path) and path not in weighted]
    within = [path for path in images if contrasts.says_flair(without_ending(path))]
    return flair or (within if len(within) < len(images) else [])


def _by_name(
    images: Sequence[Path],
    others: Iterable[Path],
    left_out: list[LeftOut],
    channel: str | None,
    option: str,
) -> Found:
    """The images as cases of their names, or of their folders' where they say FLAIR and no more.

    ``others`` are further images there, which are left out.
    """
    told = told_by_folders(images)
    named = {path: case_name(path) for path in images} | scans_of_times(images)
    named |= {path: one.case for path, one in told.items()}
    taken = {name: path for path, name in named.items()}
    beside = of_another_name(others, taken, [one.folder for one in told.values()])
    found = _named(named, [*left_out, *beside], option)
    found.cases = _with_channel(found.cases, channel)
    found.notes += said_of_names(told)
    return found


def _of_one_channel(
    stems: Mapping[Path, str], left_out: Sequence[LeftOut], channel: str | None, option: str
) -> Found:
    """Of images that are numbered by channel, with their names without format, those that are FLAIR."""
    folder = next(iter(stems)).parent
    chosen = set(of_channel(stems, flair_channel(folder, channel), str(folder)))
    others = [LeftOut(path, OF_ANOTHER_CHANNEL) for path in stems if path not in chosen]
    named = {
        path: case_name(Path(stem.rsplit("_", 1)[0])) for path, stem in stems.items() if path in chosen
    }
    return _named(named, [*left_out, *others], option)


def _named(named: Mapping[Path, str], left_out: list[LeftOut], option: str) -> Found:
    """The files as cases of these names, where those can be."""
    way_out = OWN_NAMES if option else SEPARATELY
    found = ((name, str(path), path) for path, name in named.items())
    cases, bad = sift(found, way_out, OWN_NAMES if option else "")
    unnamed = {path: why for path, name in named.items() if (why := why_no_case_name(name, str(path)))}
    files = [CaseFiles(name, path) for name, path in cases.items()]
    return Found(files, bad, left_out, len(named), unnamed=unnamed)


def _add_references(found: Found, references: str, skip_bad: bool, follow_links: bool) -> None:
    """Give the cases their masks; what is neither image nor mask is left out."""
    images = {case.name: case.image for case in found.cases}
    paired = pair(images, references, found.left_out, follow_links=follow_links)
    reasons = paired.bad | paired.without_image
    bad = {name: reason for name, reason in reasons.items() if name not in found.bad}
    if bad and not skip_bad:
        first, reason = next(iter(bad.items()))
        more = f" So it is with {len(bad) - 1} more." if len(bad) > 1 else ""
        way_out = paired.way_out if first in paired.without_image else ""
        raise BadInput(f"{reason}{more} {way_out}".rstrip())
    found.notes += [f"skipped: {reason}" for reason in bad.values()] + paired.notes
    found.cases = [replace(case, reference=paired.masks.get(case.name)) for case in found.cases]
    found.references = len(paired.masks)
    taken = {*images.values(), *paired.masks.values()}
    own = [one for one in paired.left_out if one.reason == OWN_MASK]  # says more than that it is a mask
    by_path = {one.path: one for one in (*paired.left_out, *found.left_out, *own) if one.path not in taken}
    found.left_out = sorted(by_path.values(), key=lambda one: one.path)


def _numbered_by_channel(images: Iterable[Path]) -> dict[Path, str]:
    """The files' stems if all are ``case_NNNN`` and each case has a ``case_0000``; else nothing."""
    stems = {path: without_ending(path) for path in images}
    found = [NUMBERED.fullmatch(stem) for stem in stems.values()]
    cases = {match["case"] for match in found if match}
    with_first = {match["case"] for match in found if match and match["channel"] == "0000"}
    return stems if all(found) and cases == with_first else {}


def _dicom(folder: Path, skip_bad: bool, follow_links: bool) -> tuple[dict[Path, str], dict[str, str]]:
    """DICOM folders and their cases: the folder itself if it holds series, else one of each subfolder.

    Of a folder of multi-frame files, each of another study, every file is a case. With ``skip_bad`` also
    the reasons why subfolders are skipped, by name.
    """
    if holds_dicom(folder):
        if files := one_case_a_file(folder):
            return {path: case_name(path) for path in files}, {}
        return {folder: folder.absolute().name}, {}
    series: dict[Path, str] = {}
    unclear: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        if not path.is_dir() or path.name[0] == "." or not (follow_links or _is_inside(path, folder)):
            continue
        try:
            found = flair_folder(path)
        except BadInput as error:
            if not skip_bad:
                raise
            unclear[path.name] = str(error)
        else:
            series |= {found: path.name} if found is not None else {}
    return series, unclear


def _with_channel(cases: Iterable[CaseFiles], wanted: str | None) -> list[CaseFiles]:
    return [replace(case, channel=flair_channel(case.image.parent, wanted)) for case in cases]


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether the path, its links followed, lies in the folder."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
