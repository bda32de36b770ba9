"""The grid that slices lie on, from the position and orientation of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clisc_engine.errors import BadInput
from clisc_engine.imaging.dicom.frames import Frame

Array: TypeAlias = npt.NDArray[np.float64]

AXES_TOLERANCE = 1e-3
"""Cosines: slices whose axes differ by less are parallel, and axes so far from unit length or from a
right angle are squared up; it is 0.06 degrees, or 0.1 mm at the rim of a head."""

EVEN_TOLERANCE = 0.01
"""Part of the spacing by which a slice may lie off its place on an even grid (highdicom's default)."""

ROUNDING = 0.02
"""Millimetres by which it may in any case: positions are written with two decimals or more."""

LEAN_TOLERANCE = 1e-3
"""Millimetres that a slice may lie beside the first one's normal, for each millimetre along it."""

BESIDE = 0.05
"""Millimetres that it may in any case."""

TILTED = 30.0
"""Degrees: a slice that is turned by less against a series was meant to be one of it, no localizer."""


def axes_of(frame: Frame) -> Array:
    """Unit vectors along a row, along a column and along the normal, as the columns of a matrix.

    Raises:
        BadInput: when the header's orientation is none.
    """
    row, column = np.array(frame.axes[:3]), np.array(frame.axes[3:])  # type: ignore[index]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    well = np.isfinite(frame.axes).all() and max(abs(n - 1) for n in lengths) < 5 * AXES_TOLERANCE  # type: ignore[arg-type]
    if not well or abs(row @ column) > 5 * AXES_TOLERANCE:
        listed = "\\".join(f"{value:g}" for value in frame.axes or ())
        raise BadInput(
            f"{frame.file} has the orientation {listed}, which are no two unit vectors at a right angle; "
            "export the series again."
        )
    row = row / lengths[0]
    column = column - (column @ row) * row
    column /= np.linalg.norm(column)
    return np.column_stack([row, column, np.cross(row, column)])


def heights(frames: Sequence[Frame], axes: Array) -> Array:
    """Millimetres of each slice along the normal, from the scanner's origin."""
    return np.array([frame.position for frame in frames]) @ axes[:, 2]


def place_of(frame: Frame, axes: Array) -> str:
    """Where a slice is in words: its coordinate along the patient's axis nearest to the normal."""
    axis = int(np.abs(axes[:, 2]).argmax())
    return f"{'xyz'[axis]} = {frame.position[axis]:.4g} mm"  # type: ignore[index]


def tilted(frames: Sequence[Frame], axes: Array) -> str:
    """A sentence, with a space before, on those that are turned a little against the axes, if any is.

    Raises:
        BadInput: when the orientation of one is none.
    """
    cosines = [(np.trace(axes_of(frame).T @ axes) - 1) / 2 for frame in frames]
    turns = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    said = [
        f"{frame.name} is there but is tilted by {turn:.2g} degrees against the others"
        for frame, turn in zip(frames, turns, strict=True)
        if turn < TILTED
    ]
    return f" {'; '.join(said)}." if said else ""


def tolerance_of(spacing: float) -> float:
    """Millimetres that a slice may lie off its place on an even grid."""
    return max(EVEN_TOLERANCE * spacing, ROUNDING)


def spacing_of(
    source: Path, frames: Sequence[Frame], axes: Array, doubt: str, aside: Sequence[Frame] = ()
) -> float:
    """Millimetres between slices that are sorted along the normal, each at a place of its own.

    Args:
        source: for messages.
        frames: the slices.
        axes: of one of them.
        doubt: a sentence for the refusals, of how these may be several images; empty when they are not.
        aside: slices of the series that were left out for their orientation.

    Raises:
        BadInput: when slices are missing, unevenly spaced, or not stacked along their normal.
    """
    from highdicom.spatial import get_volume_positions

    along = heights(frames, axes)
    gaps = np.diff(along)
    for unit in sorted({float(np.median(gaps)), float(gaps.min())}, reverse=True):
        _refuse_missing(source, frames, axes, gaps, unit, doubt, aside)
    spacing = float((along[-1] - along[0]) / (len(frames) - 1))
    off = np.abs(along - (along[0] + spacing * np.arange(len(frames))))
    if off.max() > tolerance_of(spacing):
        worst = frames[int(off.argmax())]
        raise BadInput(
            f"{source}: the slices are unevenly spaced, {gaps.min():.4g} to {gaps.max():.4g} mm apart; "
            f"{worst.name} at {place_of(worst, axes)} is {off.max():.2g} mm off an even grid of "
            f"{spacing:.4g} mm, and up to {tolerance_of(spacing):.2g} mm count as rounding.{doubt} Export "
            "the series anew, or resample it to even slices and give that as NIfTI."
        )
    _refuse_leaning(source, frames, axes, along)
    checked, order = get_volume_positions(
        [frame.position for frame in frames if frame.position is not None],
        axes.T[:2].ravel().tolist(),
        atol=2 * tolerance_of(spacing),
        perpendicular_tol=0.01,
        index_convention="RD",
    )
    if checked is None or order != list(range(len(frames))):
        raise BadInput(f"{source}: the slices make no evenly spaced volume.{doubt} Export the series anew.")
    return float(checked)


def _refuse_missing(
    source: Path,
    frames: Sequence[Frame],
    axes: Array,
    gaps: Array,
    unit: float,
    doubt: str,
    aside: Sequence[Frame],
) -> None:
    """Refuse gaps of twice the unit or more, when all are a whole number of units.

    Where many are, and something speaks for several images, it is not slices that are missing.
    """
    steps = np.rint(gaps / unit)
    whole = np.abs(gaps - steps * unit) <= 2 * tolerance_of(unit) * np.maximum(steps, 1)
    many = (steps > 1).mean() > 1 / 3 and doubt
    if many or steps.max() < 2 or steps.min() < 1 or not whole.all():
        return
    holes = [int(i) for i in np.flatnonzero(steps > 1)]
    count = int((steps - 1).sum())
    listed = "; ".join(
        f"{int(steps[i] - 1)} between {place_of(frames[i], axes)} ({frames[i].name}) and "
        f"{place_of(frames[i + 1], axes)} ({frames[i + 1].name})"
        for i in holes[:4]
    )
    more = f" and in {len(holes) - 4} more places" if len(holes) > 4 else ""
    askew = tilted(aside, axes)
    raise BadInput(
        f"{source}: {count} slice{'s are' if count > 1 else ' is'} missing in the series "
        f"{frames[0].series}, whose slices are {unit:.4g} mm apart: {listed}{more}.{askew}{doubt} Copy or "
        f"export the series again, with all its slices{' parallel' if askew else ''}."
    )


def _refuse_leaning(source: Path, frames: Sequence[Frame], axes: Array, along: Array) -> None:
    """Refuse a stack that leans, as with a tilted gantry, or whose slices are shifted sideways."""
    positions = np.array([frame.position for frame in frames])
    beside = np.linalg.norm((positions - positions[0]) @ axes[:, :2], axis=1)
    if (beside <= np.maximum(BESIDE, LEAN_TOLERANCE * np.abs(along - along[0]))).all():
        return
    worst = int(beside.argmax())
    angle = np.degrees(np.arctan2(beside[-1], along[-1] - along[0]))
    first, last = frames[0].name, frames[worst].name
    raise BadInput(
        f"{source}: the slices are not stacked along their normal: {last} lies {beside[worst]:.3g} mm "
        f"beside that of {first}, a lean of {angle:.2g} degrees from first to last (a tilted gantry, or a "
        "sheared export). Resample it to an upright grid, e.g. with dcm2niix or 3D Slicer, and give that "
        "as NIfTI."
    )
