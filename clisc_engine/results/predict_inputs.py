"""The volumes that `predict` was given, each under a case name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.files.case_names import Names, why_no_case_name
from clisc_engine.imaging.pairs import is_second_half, other_half
from clisc_engine.importing.casefiles import CaseFiles, case_name, says_flair_alone
from clisc_engine.importing.channels import flair_channel
from clisc_engine.importing.discover import SEPARATELY, find_cases

BY_FOLDERS = (
    "Of the folder above them, files that say FLAIR and no more have the names of their own folders."
)
"""The way out for volumes called as ``flair.nii.gz``, each in the folder of its patient."""


def find_images(
    paths: Sequence[Path],
    channel: str | None = None,
    unnamed: dict[Path, str] | None = None,
    remarks: list[str] | None = None,
    *,
    follow_links: bool = False,
) -> list[CaseFiles]:
    """The volumes that were named, and those in the folders that were named, by case name; each once.

    Args:
        paths: files and folders.
        channel: the number or name of the FLAIR channel, as for `find_cases`.
        unnamed: gets the files whose names cannot be case names, each with the reason.
        remarks: gets what is to be said of folders of which not all images are taken.
        follow_links: take what links out of a folder lead to, too.

    Raises:
        BadInput: when there is none, or two have the same case name; without ``unnamed``, also for a name
            that cannot be a case name.
    """
    names = Names(f"{SEPARATELY} {BY_FOLDERS}" if any(map(says_flair_alone, paths)) else SEPARATELY)
    found: dict[tuple[str, str], CaseFiles] = {}
    named = dict(zip(map(_itself, paths), paths, strict=True))
    for path in named.values():
        if is_second_half(path) and (voxels := other_half(path)) and _itself(voxels) in named:
            continue  # one image, whose both files a pattern of the shell has named
        if not path.exists():
            raise BadInput(f"{path} does not exist.")
        if path.is_dir():
            cases = find_cases(str(path), None, channel, unnamed, remarks, follow_links=follow_links)
        else:
            cases = _case_of(path, channel, unnamed)
        for case in cases:
            if (same := _itself(case.image)) not in found:
                found[same] = replace(case, name=names.take(case.name, str(case.image)))
    return list(found.values())


def find_the_image(
    paths: Sequence[Path], channel: str | None = None, *, follow_links: bool = False
) -> list[CaseFiles]:
    """The same when the mask's file name was given: the image's name need not be a case name then."""
    unnamed: dict[Path, str] = {}
    named = find_images(paths, channel, unnamed, follow_links=follow_links)
    return [
        *named,
        *(CaseFiles(path.name, path, channel=flair_channel(path.parent, channel)) for path in unnamed),
    ]


def _itself(path: Path) -> tuple[str, str]:
    """What a file has in common with itself under another path, e.g. where patterns overlap."""
    return os.path.realpath(path), path.absolute().name


def _case_of(path: Path, channel: str | None, unnamed: dict[Path, str] | None) -> list[CaseFiles]:
    name = case_name(path)
    if unnamed is not None and (why := why_no_case_name(name, str(path))):
        unnamed[path] = why
        return []
    return [CaseFiles(name, path, channel=flair_channel(path.parent, channel))]
