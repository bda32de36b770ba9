"""Dice and HD95 of every row, by MedPy, one pair after the other on the whole grid of the files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK
from medpy.metric import binary

from benchmarks.plain.study import Study
from benchmarks.volumes import SPACING
from clisc_engine.stages.prompting.regions import region_of_interest

ROWS = {
    "cam-raw": "cam-raw",
    "cam-amda": "cam-amda",
    "sam": "sam",
    "without-self-training": "round1",
    "full": "round2",
}
"""The rows that are measured and the file of each."""


def evaluate(study: Study, references: Path, names: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
    """Dice and HD95 in mm of each case, by row; pairs with an empty mask are left out."""
    found: dict[str, list[tuple[float, float]]] = {row: [] for row in ROWS}
    for row, what in ROWS.items():
        for name in names:
            image = SimpleITK.ReadImage(str(references / f"{name}_seg.nii.gz"))
            reference = SimpleITK.GetArrayFromImage(image) != 0
            mask = study.read(name, what)
            if what.startswith("cam"):
                mask = region_of_interest(mask, study.read(name, "image") != 0, SPACING, study.settings.roi)
            whole = np.zeros(reference.shape, bool)
            whole[study.box(name)] = mask != 0
            if whole.any():
                pair = binary.dc(whole, reference), binary.hd95(whole, reference, voxelspacing=SPACING)
                found[row].append(pair)
    return found
