"""Axes that are not at right angles: squared up where that is rounding, else refused."""

from __future__ import annotations

from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.imaging.geometry import Geometry, squared

ROUNDED = 0.01
"""Voxels: a shear that moves none further than this is the header's precision."""

MAX_SHEAR = 0.1
"""Voxels: a shear that moves one further than this is none of rounding."""


def upright(path: Path, grid: Geometry, what: str, program: str) -> tuple[Geometry, tuple[str, ...]]:
    """The grid, its axes at right angles where they nearly are; and what is to be said of it.

    Args:
        path: for messages.
        grid: its axes are of unit length.
        what: says the axes, e.g. ``sform``.
        program: resamples such files, e.g. ``3D Slicer``.

    Raises:
        BadInput: when squaring the axes up would move a voxel by more than `MAX_SHEAR` of its size.
    """
    straight, moved = squared(grid)
    if moved > MAX_SHEAR:
        raise BadInput(
            f"{path} is sheared: the axes of its {what} are not at right angles; squaring them up would "
            f"move voxels by up to {moved:.2g} of their size. Resample it to a straight grid, e.g. with "
            f"{program}, or take the scan as it was before its registration."
        )
    if moved <= ROUNDED:
        return grid, ()
    told = (
        f"{path} has axes that are not quite at right angles; they were squared up, which moves no "
        f"voxel by more than {moved:.2g} of its size."
    )
    return straight, (told,)
