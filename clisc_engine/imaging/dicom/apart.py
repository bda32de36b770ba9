"""Two images under one series: recognised by slices at one place, and by what their headers say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from operator import attrgetter
from pathlib import Path

import numpy as np

from clisc_engine.errors import BadInput
from clisc_engine.imaging.dicom.frames import Frame
from clisc_engine.imaging.dicom.grid import Array, heights, place_of, tolerance_of
from clisc_engine.imaging.dicom.pixels import values_of

OVERLAP = 1.5
"""Slices so many times as thick as they are apart, and not numbered in order, are two images'."""

MOST_IMAGES = 8
"""What has more values in a series, e.g. a time, does not tell images apart in a message."""

REMEDY = (
    "Put each image's files into a folder of its own (dcm2niix sorts them, too), and give the FLAIR one."
)


def one_at_each_place(source: Path, frames: Sequence[Frame], axes: Array) -> tuple[list[Frame], list[str]]:
    """The slices along the normal, without those that are copies of another; and what to say of these.

    Raises:
        BadInput: when different slices lie at one place.
    """
    places = _places(frames, axes)
    if len(places) == 1 < len(frames):
        raise BadInput(
            f"{source}: all {len(frames)} slices of the series {frames[0].series} have one position in "
            f"their headers, {place_of(frames[0], axes)}; export the series again, or give it as NIfTI."
        )
    kept, copies = [], []
    for place in places:
        first, *again = place
        different = [frame for frame in again if not _is_copy(first, frame)]
        copies += [(frame, first) for frame in again if frame not in different]
        kept.append([first, *different])
    if any(len(place) > 1 for place in kept):
        several = sum(len(place) > 1 for place in places) >= len(places) / 2
        raise BadInput(_of_images(source, places) if several else _of_places(source, kept, axes))
    if not copies:
        return [place[0] for place in kept], []
    copy, original = copies[0]
    many = f"{len(copies)} slices are" if len(copies) > 1 else "1 slice is"
    note = f"{source}: {many} there twice, e.g. {copy.name} as {original.name}; the copies are left out."
    return [place[0] for place in kept], [note]


def refuse_several(source: Path, frames: Sequence[Frame]) -> None:
    """Refuse slices that differ in what all of one image's have in common."""
    names = sorted({name for frame in frames for name in frame.singular})
    for name in names:
        values = Counter(frame.singular.get(name, "none") for frame in frames)
        if len(values) > 1:
            raise BadInput(
                f"{source}: two images under one series UID ({frames[0].series}): their slices differ by "
                f"{name} ({_listed(values)}). {REMEDY}"
            )
    if len({frame.inverted for frame in frames}) > 1:
        raise BadInput(f"{source}: low values are white (MONOCHROME1) in some slices only. {REMEDY}")


def refuse_shifted(source: Path, frames: Sequence[Frame], spacing: float) -> None:
    """Refuse slices that overlap and are not numbered along the stack: two images, shifted."""
    thickness = max(frame.thickness for frame in frames)
    if _in_order(frames) or thickness < OVERLAP * spacing:
        return
    raise BadInput(
        f"{source}: the slices are {thickness:.3g} mm thick but {spacing:.3g} mm apart, and not numbered "
        f"along the stack: two images under one series UID ({frames[0].series}), one shifted against the "
        f"other.{doubt_of(frames)} {REMEDY}"
    )


def refuse_repeated(source: Path, frames: Sequence[Frame]) -> None:
    """Refuse a stack whose slices' numbers begin anew along it: one image upon another."""
    numbers = [frame.number for frame in frames if frame.number is not None and frame.of == 1]
    different = len(set(numbers))
    if len(numbers) < len(frames) or not 2 < different < len(numbers):
        return
    blocks = [set(numbers[start : start + different]) for start in range(0, len(numbers), different)]
    if all(block == blocks[0] for block in blocks):
        raise BadInput(
            f"{source}: {len(blocks)} images under one series UID ({frames[0].series}), one upon the "
            f"other: along the stack the slices' numbers, {min(numbers)} to {max(numbers)}, begin anew. "
            f"{REMEDY}"
        )


def told_of_acquisitions(source: Path, frames: Sequence[Frame]) -> list[str]:
    """A sentence where each acquisition is a part of the stack of its own: they may be several images."""
    values = [frame.passing.get("acquisition number", "") for frame in frames]
    runs = [value for index, value in enumerate(values) if not index or value != values[index - 1]]
    counts = Counter(values)
    if "" in counts or not 1 < len(runs) <= 4 or len(counts) < len(runs) or min(counts.values()) < 2:
        return []
    return [
        f"{source}: {len(runs)} acquisitions lie one upon the other ({_listed(counts)}); they were taken "
        "as one image. See that they are."
    ]


def _in_order(frames: Sequence[Frame]) -> bool:
    """Whether the slices' numbers, if all have one, go up or down along the stack."""
    numbers = [frame.number for frame in frames if frame.number is not None]
    steps = np.diff(numbers)
    return len(numbers) < len(frames) or bool((steps >= 0).all() or (steps <= 0).all())


def doubt_of(frames: Sequence[Frame]) -> str:
    """A sentence, with a space before, of what may make several images of slices; empty if nothing does."""
    for name in sorted({name for frame in frames for name in frame.passing}):
        values = Counter(frame.passing.get(name, "none") for frame in frames)
        if 1 < len(values) <= 4 and min(values.values()) > 1:
            return f" They may be two images, for they differ by {name} ({_listed(values)})."
    if _in_order(frames):
        return ""
    numbers = ", ".join(str(frame.number) for frame in frames[:4])
    return f" They may be two images, for their numbers jump along the stack ({numbers}, ...)."


def _places(frames: Sequence[Frame], axes: Array) -> list[list[Frame]]:
    """The slices by their place along the normal."""
    along = heights(frames, axes)
    order = np.argsort(along, kind="stable")
    gaps = np.diff(along[order])
    apart = gaps[gaps > 1e-3]
    same = min(tolerance_of(float(np.median(apart))), float(apart.max()) / 2) if len(apart) else 1e-3
    places = [[frames[order[0]]]]
    for index, gap in zip(order[1:], gaps, strict=True):
        if gap <= same:
            places[-1].append(frames[index])
        else:
            places.append([frames[index]])
    return places


def _is_copy(first: Frame, second: Frame) -> bool:
    """Whether two slices at one height lie at one place with the same values."""
    beside = np.linalg.norm(np.subtract(first.position, second.position))  # type: ignore[arg-type]
    if beside > 1e-2:
        return False
    return bool(np.array_equal(values_of([first]), values_of([second])))


def _of_images(source: Path, places: Sequence[Sequence[Frame]]) -> str:
    """What to say when most places hold several slices."""
    doubled = [place for place in places if len(place) > 1]
    most = max(map(len, doubled))
    return (
        f"{source}: {'two' if most == 2 else most} images under one series UID ({doubled[0][0].series}): "
        f"{len(doubled)} of {len(places)} places hold {most} slices, {_difference(doubled)}. {REMEDY}"
    )


def _of_places(source: Path, places: Sequence[Sequence[Frame]], axes: Array) -> str:
    """What to say when few places do."""
    doubled = [place for place in places if len(place) > 1]
    first, second = doubled[0][:2]
    return (
        f"{source}: {len(doubled)} of the {len(places)} places of the series {first.series} hold several "
        f"different slices, e.g. {first.name} and {second.name} at {place_of(first, axes)}. Take out those "
        "that do not belong to the image, or export the series again."
    )


def _difference(doubled: Sequence[Sequence[Frame]]) -> str:
    """In words, what tells the slices at one place from each other."""
    kinds = (attrgetter("singular"), attrgetter("passing"))
    for traits in ([[kind(frame) for frame in place] for place in doubled] for kind in kinds):
        for name in sorted({name for place in traits for one in place for name in one}):
            values = [[one.get(name, "none") for one in place] for place in traits]
            few = len(set(chain.from_iterable(values))) <= MOST_IMAGES
            if few and all(len(set(at_place)) == len(at_place) for at_place in values):
                return f"which differ by {name} ({_listed(Counter(chain.from_iterable(values)))})"
    numbers = [sorted(frame.number for frame in place if frame.number is not None) for place in doubled]
    runs = [f"{min(run)} to {max(run)}" for run in zip(*numbers, strict=False)]
    if len(set(runs)) > 1:
        return f"which their headers tell apart by nothing but their numbers ({' and '.join(runs)})"
    return f"which their headers do not tell apart (e.g. {doubled[0][0].name} and {doubled[0][1].name})"


def _listed(values: Counter[str]) -> str:
    shown = [f"{value} in {count} slice{'s' * (count > 1)}" for value, count in values.most_common(4)]
    return ", ".join(shown) + (", ..." if len(values) > 4 else "")
