"""One image under two names, which would count twice; one reference for two images, which fits but one."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.files.words import listed
from clisc_engine.imaging.source import hash_if_readable
from clisc_engine.importing.casefiles import CaseFiles

NAMED = 5
"""Cases of one reference that are named."""

REFUSED = (
    "A reference is drawn on one image, so the others would be measured against another tumour; give "
    "each its own mask, or none. --share-references takes it for all, e.g. for two reconstructions of one "
    "scan."
)
TAKEN = "--share-references takes it for each: one tumour counts as often, and they belong in one split."
"""What follows from one reference of several cases, in words: without that option, and with it."""

_BLOCK = 1 << 16
_LEAVE_OUT = "Leave all but one of them out"


def find_doubles(cases: Iterable[CaseFiles]) -> list[tuple[str, ...]]:
    """Names of cases whose images are the same, byte for byte, and of the same channel.

    A file that cannot be read is left to its import.
    """
    return _same_files({case.name: (case.image, case.channel) for case in cases})


def shared_references(cases: Sequence[CaseFiles]) -> dict[tuple[str, ...], str]:
    """Names of cases that have one reference though their images differ, and that in words.

    Masks that mark no tumour are alike without being one. What cannot be read is left to its import.
    """
    images = {case.name: case.image for case in cases}
    masks = {case.name: case.reference for case in cases if case.reference is not None}
    found = {}
    for names in _same_files({name: (mask, None) for name, mask in masks.items()}):
        contents = (hash_if_readable(images[name]) for name in names)
        if told := shared_in_words(contents, {name: (images[name], masks[name]) for name in names}):
            found[names] = told
    return found


def shared_in_words(images: Iterable[str], paths: Mapping[str, tuple[object, Path]]) -> str:
    """That cases have the same reference though their images differ; empty when they may be alike.

    Args:
        images: the hashes of their images, looked at last.
        paths: where each one's image and reference lie, by name; the first's reference is read.
    """
    _, mask = next(iter(paths.values()))
    if not _marks_a_tumour(mask) or len(set(filter(None, images))) < 2:
        return ""
    said = [f"{name} (image {image}, reference {path})" for name, (image, path) in paths.items()]
    return (
        f"The same mask is the reference of {len(paths)} cases whose images differ: {listed(said, NAMED)}."
    )


def _marks_a_tumour(mask: Path) -> bool:
    from clisc_engine.imaging.references import read_mask

    try:
        return bool(read_mask(mask).array.any())
    except BadInput:
        return False


def _same_files(files: Mapping[str, tuple[Path, object]]) -> list[tuple[str, ...]]:
    """Names whose files are the same, byte for byte, and whose second parts are.

    Only files that agree in size, beginning and end are read whole.
    """
    alike: dict[object, list[str]] = {}
    for name, (path, part) in files.items():
        if seen := _glance(path):
            alike.setdefault((seen, part), []).append(name)
    found: list[tuple[str, ...]] = []
    for names in alike.values():
        if len(names) > 1:
            found += same_content({name: hash_if_readable(files[name][0]) for name in names})
    return sorted(found)


def same_content(contents: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Groups of names that have the same content, empty ones apart; ``contents`` are hashes by name."""
    groups: dict[str, list[str]] = {}
    for name, content in contents.items():
        if content:
            groups.setdefault(content, []).append(name)
    return [tuple(sorted(names)) for names in groups.values() if len(names) > 1]


def among(doubles: Iterable[Sequence[str]], names: Container[str]) -> list[tuple[str, ...]]:
    """What is left of groups of names, of which only these are there."""
    left = [tuple(name for name in group if name in names) for group in doubles]
    return [group for group in left if len(group) > 1]


def check_doubles(
    doubles: Sequence[Sequence[str]], splits: Mapping[str, str], sources: Mapping[str, str]
) -> list[str]:
    """Warnings on images of several names.

    Args:
        doubles: names that share an image.
        splits: of all cases.
        sources: path of each case's image.

    Raises:
        BadInput: when the names are in different splits.
    """
    warnings = []
    for names in doubles:
        said = " and ".join(f"{name} ({sources[name]}, {splits[name]})" for name in names)
        if len({splits[name] for name in names}) > 1:
            raise BadInput(
                f"The same image has several names, in different splits: {said}. What is learned from "
                f"would also be measured. {_LEAVE_OUT}, or put them into one split with --split (a CSV "
                "with the columns case,split)."
            )
        warnings.append(f"The same image has several names: {said}; it counts as often. {_LEAVE_OUT}.")
    return warnings


def _glance(path: Path) -> object:
    """What two files of the same content share; None for one that cannot be read."""
    try:
        if path.is_dir():
            return tuple(sorted(file.stat().st_size for file in path.iterdir() if file.is_file()))
        with path.open("rb") as file:
            head = file.read(_BLOCK)
            file.seek(max(0, path.stat().st_size - _BLOCK))
            return path.stat().st_size, hashlib.sha256(head + file.read()).digest()
    except OSError:
        return None
