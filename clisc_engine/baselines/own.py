"""A method of one's own as a row of Table 1: a Python file with a function ``segment``."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clisc_engine.core.brain import brain_of
from clisc_engine.errors import BadInput
from clisc_engine.files.digest import sha256_of
from clisc_engine.products.kinds import IMAGE
from clisc_engine.products.rivals import own_masks
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running import journal
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Arrays, Report, run_cases
from clisc_engine.running.spec import CaseSpec

Segment: TypeAlias = Callable[[npt.NDArray[np.float32], Sequence[float]], Any]
"""From an image (Z, Y, X), z-scored over the brain and exactly 0 outside, and its (z, y, x) spacing in mm,
to a mask (Z, Y, X) of 0 and 1."""


def run_own(file: Path, project: Project, control: Control, splits: tuple[str, ...]) -> Report:
    """Make ``masks/own-STEM`` of the splits with the file's ``segment``; what is fresh is skipped.

    A mask is fresh as long as the image and every byte of the file are the same. What lies outside the
    brain is cut off, as in every row.

    Raises:
        BadInput: when the file cannot be used.
    """
    name = row_of(file)
    stage = OwnMasks(file, name)
    with journal.entry(project, f"baseline {name}", control) as note:
        report = run_cases(stage, project.cases(splits), control)
        note.worked = bool(report.done or report.failed)
    return report


def row_of(file: Path) -> str:
    """The row that a file's masks make: ``own-`` and the file's name without its ending.

    Raises:
        BadInput: when there is no such file, or its name cannot be a row's.
    """
    if not file.is_file():
        raise BadInput(f"There is no file {file}; give a Python file that defines segment(image, spacing).")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,40}", file.stem):
        raise BadInput(
            f"{file.name} gives the row its name; use letters, digits, - and _ alone, e.g. my_threshold.py."
        )
    return f"own-{file.stem}"


class OwnMasks:
    """The masks of a function that the user wrote, of one case after the other."""

    def __init__(self, file: Path, row: str) -> None:
        """Look at the file, but do not run it yet."""
        self.file, self.array = file, own_masks(row)
        self.spec = CaseSpec(f"baseline {row}", (IMAGE,), (self.array,), {"code": sha256_of(file)})

    def load(self) -> None:
        """Run the file, which defines ``segment``."""
        self.segment = _segment_of(self.file)

    def run_case(self, case: CaseArrays, arrays: Arrays) -> Arrays:
        """The mask (Z, Y, X) of an image (Z, Y, X)."""
        image = arrays[IMAGE].astype(np.float32)
        brain = brain_of(image)
        try:
            found = np.asarray(self.segment(image.copy(), case.info.spacing))
        except Exception as error:
            raise BadInput(f"{self.file}: segment failed: {type(error).__name__}: {error}") from error
        if found.shape != image.shape or not np.isin(found, (0, 1)).all():
            raise BadInput(
                f"{self.file}: segment gave {found.dtype} of shape {found.shape}; a mask of 0 and 1 of "
                f"the image's shape {image.shape} is wanted."
            )
        return {self.array: ((found != 0) & brain).astype(np.uint8)}


def _segment_of(file: Path) -> Segment:
    spec = importlib.util.spec_from_file_location(f"clisc_own_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise BadInput(f"{file} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise BadInput(f"{file} cannot be run: {type(error).__name__}: {error}") from error
    segment = getattr(module, "segment", None)
    if not callable(segment):
        raise BadInput(f"{file} defines no function segment(image, spacing).")
    found: Segment = segment
    return found
