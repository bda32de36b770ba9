"""The volumes that `predict` was given, each under a case name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.files.case_names import Names, why_no_case_name
from clisc_engine.importing.casefiles import CaseFiles, case_name
from clisc_engine.importing.channels import flair_channel
from clisc_engine.importing.discover import find_cases


def find_images(
    paths: Sequence[Path],
    channel: str | None = None,
    unnamed: dict[Path, str] | None = None,
    remarks: list[str] | None = None,
    *,
    follow_links: bool = False,
) -> list[CaseFiles]:
    """The volumes that were named, and those in the folders that were named, by case name.

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
    names = Names()
    found: list[CaseFiles] = []
    for path in paths:
        if not path.exists():
            raise BadInput(f"{path} does not exist.")
        if path.is_dir():
            cases = find_cases(str(path), None, channel, unnamed, remarks, follow_links=follow_links)
        else:
            cases = _case_of(path, channel, unnamed)
        found += [replace(case, name=names.take(case.name, str(case.image))) for case in cases]
    return found


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


def _case_of(path: Path, channel: str | None, unnamed: dict[Path, str] | None) -> list[CaseFiles]:
    name = case_name(path)
    if unnamed is not None and (why := why_no_case_name(name, str(path))):
        unnamed[path] = why
        return []
    return [CaseFiles(name, path, channel=flair_channel(path.parent, channel))]
