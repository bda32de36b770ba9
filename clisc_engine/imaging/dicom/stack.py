"""The slices of one series as a volume: all of one image, parallel, one at each place, evenly spaced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from clisc_engine.errors import BadInput
from clisc_engine.imaging.dicom.apart import (
    doubt_of,
    one_at_each_place,
    refuse_repeated,
    refuse_several,
    refuse_shifted,
    told_of_acquisitions,
)
from clisc_engine.imaging.dicom.frames import Frame
from clisc_engine.imaging.dicom.grid import AXES_TOLERANCE, Array, axes_of, spacing_of
from clisc_engine.imaging.dicom.pixels import Values, values_of
from clisc_engine.imaging.geometry import Geometry
from clisc_engine.imaging.headers import check_grid

MODALITIES = ("MR", "OT", "SC", "")
"""What may hold an MR image: converters write the second and third."""

FEW = 5
"""Slices of another orientation that a series may hold, and must hold several times as many itself."""


@dataclass(frozen=True)
class Stack:
    """Slices in order, on their grid.

    Attributes:
        frames: along the normal, which is row cross column.
        size: columns, rows, slices.
        spacing: mm along (x, y, z).
        axes: direction cosines, a column each for x, y and z (LPS).
        notes: sentences for the user.
    """

    frames: tuple[Frame, ...]
    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    axes: Array
    notes: tuple[str, ...]

    def with_notes(self, *notes: str) -> Stack:
        """The same with further sentences, which come first."""
        return replace(self, notes=(*notes, *self.notes))

    @property
    def geometry(self) -> Geometry:
        """The grid."""
        return Geometry(
            self.size, self.spacing, self.frames[0].position or (), tuple(self.axes.ravel().tolist())
        )

    def values(self) -> Values:
        """The voxels, (slice, row, column).

        Raises:
            BadInput: when a file cannot be decoded.
        """
        array = values_of(self.frames)
        return array.max() - array if self.frames[0].inverted else array


def stack_of(source: Path, frames: Sequence[Frame]) -> Stack:
    """The volume that a series' slices make.

    Raises:
        BadInput: when they make none, or it is not beyond doubt which.
    """
    slices, notes = _planes(source, frames)
    _refuse_mixed(source, slices)
    slices, aside = _parallel(source, slices)
    if aside:
        notes.append(
            f"{source}: left out {_names(aside)}, of another orientation than the other {len(slices)}."
        )
    axes = axes_of(slices[0])
    slices, copies = one_at_each_place(source, slices, axes)
    refuse_several(source, slices)
    if len(slices) < 2:
        raise BadInput(f"{source}: the series {slices[0].series} holds one slice, not a volume.")
    rows, columns = slices[0].size
    down, across = slices[0].spacing or (0.0, 0.0)
    check_grid(
        source,
        (columns, rows, len(slices)),
        (across, down),
        slices[0].position or (),
        axes.ravel().tolist(),
    )
    spacing = spacing_of(source, slices, axes, doubt_of(slices), aside)
    refuse_shifted(source, slices, spacing)
    refuse_repeated(source, slices)
    notes += [*copies, *told_of_acquisitions(source, slices), *_of_ends(source, slices)]
    if slices[0].inverted:
        notes.append(f"{source}: low values are white there (MONOCHROME1); they were turned.")
    size, spacings = (columns, rows, len(slices)), (across, down, spacing)
    check_grid(source, size, spacings, slices[0].position or (), axes.ravel().tolist())
    return Stack(tuple(slices), size, spacings, axes, tuple(notes))


def _planes(source: Path, frames: Sequence[Frame]) -> tuple[list[Frame], list[str]]:
    """The slices that are grey and have a place, and what to say of the others, which are pictures."""
    if mosaic := next((frame for frame in frames if "MOSAIC" in frame.kind), None):
        raise BadInput(
            f"{source}: {mosaic.name} is a mosaic, with all slices in one picture; convert the series with "
            "dcm2niix and give the NIfTI file."
        )
    if all(frame.colour for frame in frames):
        raise BadInput(f"{source}: the series {frames[0].series} has colours; give grey images.")
    if all("LOCALIZER" in frame.kind for frame in frames):
        raise BadInput(f"{source}: the series {frames[0].series} is a localizer; give the FLAIR series.")
    aside = [frame for frame in frames if frame.colour or "LOCALIZER" in frame.kind]
    slices = [frame for frame in frames if frame not in aside]
    for frame in slices:
        if lacking := _lacking(frame):
            raise BadInput(
                f"{source}: {frame.name} has no {lacking} in its header, so where its slice lies is not "
                "known; export the series again as MR images, or give NIfTI."
            )
    note = f"{source}: left out {_names(aside)}: localizers or pictures in colour."
    return slices, [note] if aside else []


def _lacking(frame: Frame) -> str:
    """What a slice's header does not say of its place; empty when it says all."""
    wanted = {
        "position (ImagePositionPatient)": frame.position,
        "orientation (ImageOrientationPatient)": frame.axes,
        "pixel spacing (PixelSpacing)": frame.spacing,
    }
    for name, value in wanted.items():
        if value is None or not np.isfinite(value).all():
            return name
    return ""


def _refuse_mixed(source: Path, frames: Sequence[Frame]) -> None:
    """Refuse slices of another modality, or of several patients, studies or coordinate systems."""
    if other := next((frame for frame in frames if frame.modality not in MODALITIES), None):
        raise BadInput(
            f"{source}: {other.name} is of the modality {other.modality}, not MR; clisc segments FLAIR "
            "MRI. If it is MR and the header is wrong, give it as NIfTI."
        )
    for name, words in {
        "patient": "patients",
        "study": "studies",
        "space": "frames of reference",
    }.items():
        values = Counter(value for frame in frames if (value := getattr(frame, name)))
        if len(values) > 1:
            raise BadInput(
                f"{source}: the series {frames[0].series} has slices of {len(values)} {words} "
                f"({', '.join(list(values)[:3])}); put each one's files into a folder of its own."
            )


def _parallel(source: Path, frames: Sequence[Frame]) -> tuple[list[Frame], list[Frame]]:
    """The slices of the one orientation and matrix; and the few of another orientation.

    Raises:
        BadInput: when it is in doubt which belong to the image.
    """
    groups = _groups(frames)
    main, *rest = groups
    if not rest:
        return main, []
    number = f"{source}: the series {frames[0].series} holds slices of"
    if turned := [group for group in rest if _same(group[0].axes, main[0].axes)]:
        shapes = "; ".join(f"{len(group)} of {_shape(group[0])}" for group in (main, *turned)[:4])
        raise BadInput(
            f"{number} different matrices or pixel spacings ({shapes}). Put those of each image into a "
            "folder of its own, or export the series again."
        )
    if max(map(len, rest)) > FEW or len(main) < 3 * max(map(len, rest)) or len(main) <= FEW:
        raise BadInput(
            f"{number} {len(groups)} orientations ({', '.join(str(len(group)) for group in groups[:6])} "
            "slices): localizers, or several images. Put those of each into a folder of its own, and give "
            "the FLAIR one."
        )
    return main, [frame for group in rest for frame in group]


def _groups(frames: Sequence[Frame]) -> list[list[Frame]]:
    """The slices by orientation, matrix and pixel spacing, most first."""
    groups: list[list[Frame]] = []
    for frame in frames:
        for group in groups:
            first = group[0]
            if (
                frame.size == first.size
                and _same(frame.axes, first.axes)
                and np.allclose(frame.spacing or (), first.spacing or (), rtol=1e-4, atol=0)
            ):
                group.append(frame)
                break
        else:
            groups.append([frame])
    return sorted(groups, key=len, reverse=True)


def _same(a: Sequence[float] | None, b: Sequence[float] | None) -> bool:
    return bool(np.abs(np.subtract(a or (), b or ())).max() < AXES_TOLERANCE)


def _of_ends(source: Path, frames: Sequence[Frame]) -> list[str]:
    """A sentence when the header counts more slices than there are: none is missing but at the ends."""
    counted = max(frame.in_acquisition for frame in frames)
    if counted <= len(frames) or any(frame.of > 1 for frame in frames):
        return []
    return [
        f"{source}: the header counts {counted} images in the acquisition and {len(frames)} slices are "
        "there; see that none is missing at the ends."
    ]


def _shape(frame: Frame) -> str:
    down, across = frame.spacing or (0.0, 0.0)
    return f"{frame.size[1]} x {frame.size[0]} pixels of {across:g} x {down:g} mm"


def _names(frames: Sequence[Frame]) -> str:
    shown = ", ".join(frame.name for frame in frames[:4])
    return f"{len(frames)} slice{'s' * (len(frames) > 1)} ({shown}{', ...' * (len(frames) > 4)})"
