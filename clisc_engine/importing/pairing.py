"""Which reference mask belongs to which image, by their names."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.files.case_names import sift
from clisc_engine.files.words import listed, shell_word
from clisc_engine.imaging.endings import without_ending
from clisc_engine.importing.beside import Alone
from clisc_engine.importing.casefiles import (
    case_name,
    says_brain_mask,
    says_flair,
    says_flair_alone,
    says_mask,
    says_mask_alone,
)
from clisc_engine.importing.leftovers import NAMED, quoted_glob
from clisc_engine.importing.listing import ARCHIVE, LINK, LeftOut, Listing, listing
from clisc_engine.outputs.record import OwnMasks

NOT_A_MASK = "no mask by its name"
OWN_MASK = "a mask that clisc made itself, which is no reference"
NO_IMAGE_OF_IT = "a reference without an image"
MASKS = "*_seg.nii.gz"
"""What masks are called in most data sets."""
_IN_A_CSV = "pair them in a CSV with the columns case,image,reference"


@dataclass
class Paired:
    """Masks by the case name of their image, those that have none, and the files that were not taken.

    Attributes:
        masks: by case name.
        bad: reasons why others cannot be taken.
        without_image: that so many have no image, by their names.
        way_out: what can be done about these.
        left_out: files that were not taken.
        notes: sentences for the user.
    """

    masks: dict[str, Path]
    bad: dict[str, str] = field(default_factory=dict)
    without_image: dict[str, str] = field(default_factory=dict)
    way_out: str = ""
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def pair(
    images: Mapping[str, Path], given: str, not_taken: Sequence[LeftOut], *, follow_links: bool = False
) -> Paired:
    """The reference masks of the images.

    A mask of another name belongs to the one image beside it (BraTS 2020 has such a one), or in a folder
    with it and no other mask (LUMIERE has one folder a scan), where no other image could be meant; a line
    says so.

    Args:
        images: by case name.
        given: folder, file or glob of masks.
        not_taken: files beside the images.
        follow_links: take what links out of the folder lead to, too.

    Raises:
        BadInput: when there is no mask.
    """
    masks, left_out = _masks(given, set(images.values()), follow_links)
    alone = Alone(images, masks, not_taken)
    names = {path: _case_of(path, images, alone) for path in masks}
    owners = {path: alone.case_of(path) for path, name in names.items() if name not in images}
    found_by_name = ((name, str(path), path) for path, name in names.items() if not owners.get(path))
    pattern = _by_kind(given, masks, images) or _by_pattern(given, masks)
    or_by_pattern = f", or {pattern}" if pattern else ""
    named, bad = sift(found_by_name, f"Ways out: {_IN_A_CSV}{or_by_pattern}.")
    found = Paired({name: path for name, path in named.items() if name in images}, bad, left_out=left_out)
    beside = {path: case for path, case in owners.items() if case and case not in found.masks}
    found.masks |= {case: path for path, case in beside.items()}
    found.notes += _taken_beside(beside)
    unpaired = {name: path for name, path in named.items() if name not in images}
    unpaired |= {names[path]: path for path, case in owners.items() if case and path not in beside}
    for name, mask in unpaired.items():
        found.without_image[name] = _without_image(mask, name, images, not_taken)
        found.left_out.append(LeftOut(mask, NO_IMAGE_OF_IT, missed=True))
    by_pattern = f", {pattern}" if pattern else ""
    found.way_out = f"Ways out: {_IN_A_CSV}{by_pattern}, or leave out what has no image with --skip-bad."
    return found


def _taken_beside(masks: Mapping[Path, str]) -> list[str]:
    """A line on masks that are an image's for where they lie, by their cases."""
    if len(masks) <= NAMED:
        return [
            f"{case}: {mask} is taken for its reference, the only mask beside it."
            for mask, case in masks.items()
        ]
    named = [f"{case}: {mask}" for mask, case in masks.items()]
    return [
        f"{len(masks)} masks are taken for references as the only ones beside their images: "
        f"{listed(named, NAMED)}."
    ]


def _masks(given: str, images: set[Path], follow_links: bool) -> tuple[list[Path], list[LeftOut]]:
    """The masks there, and the files that are none."""
    listed = listing(given, "--references ", "labelsTr", follow_links=follow_links)
    made_here = OwnMasks()
    own = {path for path in listed.files if made_here.has(path)}
    files = [path for path in listed.files if path not in images and path not in own]
    found = files
    if listed.folder is not None:
        masks = [path for path in files if says_mask(path) and not says_brain_mask(path)]
        found = masks or [path for path in files if not says_flair(path)]
    if not found:
        raise BadInput(f"--references {given}: {_why_no_masks(given, listed, own)}")
    taken = set(found)
    others = [LeftOut(path, NOT_A_MASK) for path in files if path not in taken]
    made = [LeftOut(path, OWN_MASK, missed=True) for path in sorted(own)]
    return found, [*listed.left_out, *others, *made]


def _why_no_masks(given: str, listed: Listing, own: Collection[Path]) -> str:
    """What is there in the place of masks, ``own`` being those that clisc made, and what to do."""
    if own:
        return (
            f"the {len(own)} masks there are clisc's own, e.g. {min(own)}; a reference is drawn by "
            "somebody else. Name the folder of those."
        )
    hint = f"{_IN_A_CSV}, or {_by_pattern(given)}"
    if LINK in {one.reason for one in listed.left_out}:
        hint = "the links there lead out of the folder; --follow-links takes what they lead to"
    elif packed := [one.path.name for one in listed.left_out if one.reason == ARCHIVE]:
        hint = f"{packed[0]} is an archive; unpack it first"
    elif given.lower().endswith((".csv", ".tsv")):
        hint = "a CSV goes with --images, with a column `reference`"
    return f"no masks there; {hint}."


def _case_of(mask: Path, images: Mapping[str, Path], alone: Alone) -> str:
    """The case name in a mask's name; where that says mask and no more, that of the image beside it."""
    if not says_mask_alone(mask):
        return case_name(mask)
    beside = [name for name, image in images.items() if image.parent == mask.parent]
    called = [name for name in beside if says_flair_alone(images[name])]
    sure = called[0] if len(called) == len(beside) == 1 else alone.case_of(mask)
    return sure if sure in beside else case_name(mask)


def _without_image(mask: Path, name: str, images: Mapping[str, Path], not_taken: Sequence[LeftOut]) -> str:
    near = [
        one.path.name
        for one in not_taken
        if one.image and one.missed and without_ending(one.path).startswith(name)
    ]
    there = f" (the images are cases such as {min(images)!r})" if images else ""
    but = f" ({near[0]} is not called FLAIR)" if near else there
    return f"The reference {mask} has no image of the case name {name!r}{but}."


def _by_pattern(given: str, masks: Sequence[Path] = ()) -> str:
    """That a pattern names masks that are called as most are, where it is not that which was given."""
    deep = any(path.parent != Path(given) for path in masks) and Path(given).is_dir()
    pattern = quoted_glob(given, f"**/{MASKS}" if deep else MASKS)
    another = not masks or (any(map(says_mask, masks)) and pattern != f"'{given}'")
    return f"name the masks with a quoted glob, e.g. --references {pattern}" if another else ""


def _by_kind(given: str, masks: Sequence[Path], images: Collection[str]) -> str:
    """The patterns that name one kind of mask each, where cases have several; else nothing.

    Masks of a kind end alike behind the names of their cases, or have one name in different folders.
    """
    kinds: dict[str, list[Path]] = {}
    for path in masks:
        ending = _behind_its_case(path.name, images)
        kinds.setdefault(f"*{ending}" if ending else path.name, []).append(path)
    kinds = {name: files for name, files in kinds.items() if name.startswith("*") or len(files) > 1}
    patterns = []
    for name, files in sorted(kinds.items(), key=lambda kind: (-len(kind[1]), len(kind[0]))):
        folders = {path.parent for path in files}
        near = [path.name for path in masks if len(folders) > 1 or path.parent in folders]
        alike = [one for one in near if one == name or (name[0] == "*" and one.endswith(name[1:]))]
        if len(alike) == len(files):
            where = folders.pop() if len(folders) == 1 else f"{given}/**"
            patterns.append(shell_word(f"{where}/{name}"))
    if len(kinds) < 2 or not patterns or not Path(given).is_dir():
        return ""
    return f"name one kind of mask with a quoted glob, e.g. --references {' or '.join(patterns[:2])}"


def _behind_its_case(name: str, cases: Collection[str]) -> str:
    """What stands in a file's name behind a case's, from a mark on; empty where it begins with none."""
    marks = [found.start() for found in re.finditer(r"[-_.]", name)]
    return next((name[mark:] for mark in reversed(marks) if name[:mark] in cases), "")
