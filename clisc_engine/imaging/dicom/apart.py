"""Two images under one series: recognised by slices at one place, and by what their headers say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from clisc_engine.errors import BadInput
from clisc_engine.imaging.dicom.frames import Frame
from clisc_engine.imaging.dicom.grid import Array, heights, place_of, tolerance_of
from clisc_engine.imaging.dicom.pixels import values_of

OVERLAP = 1.5
"""Slices so many times as thick as they are apart, and not numbered in order, are two images'."""

REMEDY = "Put each image's files into a folder of its own (dcm2niix sorts them, too), and give the FLAIR one."


def one_at_each_place(source: Path, frames: Sequence[Frame], axes: Array) -> tuple[list[Frame], list[str]]:
    """The slices along the normal, without those that are copies of another; and what to say of these.

    Raises:
        BadInput: when different slices lie at one place.
    """
    places = _places(frames, axes)
    kept, copies = [], []
    for place in places:
        first, *again = place
        different = [frame for frame in again if not _is_copy(first, frame)]
        copies += [(frame, first) for frame in again if frame not in different]
        kept.append([first, *different])
    if any(len(place) > 1 for place in kept):
        raise BadInput(_of_doubled(source, places if _all_double(places) else kept, axes))
    notes = []
    if copies:
        again, first = copies[0]
        many = f"{len(copies)} slices are" if len(copies) > 1 else "1 slice is"
        notes = [f"{source}: {many} there twice with the same values, e.g. {again.name} as {first.name}; left out."]
    return [place[0] for place in kept], notes


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
        raise BadInput(f"{source}: in some slices low values are white (MONOCHROME1), in others not. {REMEDY}")


def refuse_shifted(source: Path, frames: Sequence[Frame], spacing: float) -> None:
    """Refuse slices that overlap and are not numbered along the stack: two images, one half a gap higher."""
    numbers = [frame.number for frame in frames if frame.number is not None]
    if len(numbers) < len(frames) or len(frames) < 4:
        return
    steps = np.sign(np.diff(numbers))
    in_order = bool((steps >= 0).all() or (steps <= 0).all())
    thickness = max(frame.thickness for frame in frames)
    if in_order or thickness < OVERLAP * spacing:
        return
    raise BadInput(
        f"{source}: the slices are {thickness:.3g} mm thick but {spacing:.3g} mm apart, and their numbers "
        f"jump along the stack ({', '.join(map(str, numbers[:4]))}, ...): two images under one series UID "
        f"({frames[0].series}), one shifted against the other.{doubt_of(frames)} {REMEDY}"
    )


def doubt_of(frames: Sequence[Frame]) -> str:
    """A sentence, with a space before, of what may make several images of slices; empty if nothing does."""
    for name in sorted({name for frame in frames for name in frame.passing}):
        values = Counter(frame.passing.get(name, "none") for frame in frames)
        if 1 < len(values) <= 4 and min(values.values()) > 1:
            return f" They may be two images, for they differ by {name} ({_listed(values)})."
    return ""


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


def _all_double(places: Sequence[Sequence[Frame]]) -> bool:
    return all(len(place) > 1 for place in places)


def _of_doubled(source: Path, places: Sequence[Sequence[Frame]], axes: Array) -> str:
    doubled = [place for place in places if len(place) > 1]
    most = max(map(len, doubled))
    series = doubled[0][0].series
    if len(doubled) < len(places) / 2:
        first = doubled[0]
        return (
            f"{source}: {len(doubled)} of the {len(places)} places of the series {series} hold several "
            f"different slices, e.g. {first[0].name} and {first[1].name} at {place_of(first[0], axes)}. "
            "Take out those that do not belong to the image, or export the series again."
        )
    return (
        f"{source}: {'two' if most == 2 else most} images under one series UID ({series}): {len(doubled)} of "
        f"{len(places)} places hold {most} slices, {_difference(doubled)}. {REMEDY}"
    )


def _difference(doubled: Sequence[Sequence[Frame]]) -> str:
    """In words, what tells the slices at one place from each other."""
    frames = [frame for place in doubled for frame in place]
    for trait in ("singular", "passing"):
        found: Mapping[str, str] = getattr(frames[0], trait)
        for name in sorted({name for frame in frames for name in getattr(frame, trait)}, key=list(found).__contains__):
            per_place = [[getattr(frame, trait).get(name, "none") for frame in place] for place in doubled]
            if all(len(set(values)) == len(values) for values in per_place):
                return f"which differ by {name} ({_listed(Counter(sum(per_place, [])))})"
    if all(frame.number is not None for frame in frames):
        by_number = [sorted(frame.number or 0 for frame in place) for place in doubled]
        runs = [f"{min(run)} to {max(run)}" for run in zip(*by_number, strict=False)]
        if len(set(runs)) > 1:
            return f"which their headers tell apart by nothing but their numbers ({' and '.join(runs)})"
    return f"which their headers do not tell apart (e.g. {doubled[0][0].name} and {doubled[0][1].name})"


def _listed(values: Counter[str]) -> str:
    shown = [f"{value} in {count} slices" for value, count in values.most_common(4)]
    return ", ".join(shown) + (", ..." if len(values) > 4 else "")
