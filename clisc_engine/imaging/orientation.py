"""How a volume lies in the head, as far as it matters that its axial slices are made from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from clisc_engine.imaging.geometry import Geometry, words

THICK = 1.5
"""Slices are thick when their spacing is so many times that within them."""

OBLIQUE = 30.0
"""Degrees: a tilt of the slices that is worth a line. Scanners tilt axial ones by up to 25."""

_PLANES = ("sagittal", "coronal", "axial")


def told_of_slices(path: Path, geometry: Geometry) -> tuple[str, ...]:
    """What is to be said of a volume whose axial slices are not those acquired, or are far from axial."""
    axes = _anatomical(geometry)
    upward = axes.index(2)
    spacing = geometry.spacing
    thick = int(np.argmax(spacing))
    others = [value for axis, value in enumerate(spacing) if axis != thick]
    tilt = float(np.degrees(np.arccos(min(1.0, abs(geometry.matrix[2, upward])))))
    pixel = [value for axis, value in enumerate(spacing) if axis != upward]
    oblique = f", tilted by {tilt:.0f} degrees" if tilt > OBLIQUE else ""
    if thick != upward and spacing[thick] > THICK * max(others):
        return (
            f"{path} has {_PLANES[axes[thick]]} slices of {spacing[thick]:.3g} mm{oblique}: its axial ones "
            f"lie across them, with pixels of {words(np.round(pixel, 3))} mm.",
        )
    if oblique:
        return (f"{path} lies oblique: the slices taken as axial are tilted by {tilt:.0f} degrees.",)
    return ()


def _anatomical(geometry: Geometry) -> list[int]:
    """For each axis of the file, the canonical one that it becomes: 0 left, 1 back, 2 up."""
    code = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(geometry.direction)
    return [
        next(index for index, letters in enumerate(("RL", "AP", "IS")) if letter in letters)
        for letter in code
    ]
