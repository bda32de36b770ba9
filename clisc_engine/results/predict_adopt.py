"""Masks that clisc 0.1.0 wrote, which noted their volumes in the folder's record, but not their SHA-256."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from clisc_engine.errors import BadInput
from clisc_engine.outputs.outputs import Outputs
from clisc_engine.results.predict_record import RECORD, Entry


def untouched_files_of_0_1_0(out: Path, entries: Mapping[str, Entry], outputs: Outputs) -> Iterator[str]:
    """Names of the files in ``out`` that 0.1.0 wrote and that nobody seems to have changed since.

    They are no younger than the record, and their masks have the volumes that its ``entries`` give.
    """
    if not (out / RECORD).is_file():
        return
    noted = (out / RECORD).stat().st_mtime_ns
    for name, entry in entries.items():
        mask, probability = (out / f"{name}_{kind}.nii.gz" for kind in ("seg", "probability"))
        if mask.name == entry["mask"] and _is_as_noted(mask, noted, entry["volume_ml"], outputs):
            yield mask.name
            if probability.is_file() and probability.stat().st_mtime_ns <= noted:
                yield probability.name


def _is_as_noted(mask: Path, noted: int, volume_ml: float, outputs: Outputs) -> bool:
    """Whether a mask has this volume and was written by the time ``noted`` (ns), and no record has it."""
    if not mask.is_file() or mask.stat().st_mtime_ns > noted or outputs.is_known(mask):
        return False
    from clisc_engine.imaging.references import read_mask

    try:
        found = read_mask(mask)
    except BadInput:
        return False
    voxel = float(np.prod(found.geometry.spacing)) / 1000
    return abs(float(found.array.sum()) * voxel - volume_ml) <= 6e-4 + 1e-6 * volume_ml
