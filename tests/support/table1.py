"""A small project whose rows of Table 1 are drawn by hand around the references."""

import numpy as np
from scipy import ndimage

from clisc_engine.products.rivals import TABLE1_ROWS, map_of
from clisc_engine.project.store import Seal
from tests.support.small import small_project

EVERYWHERE = ("train", "valid", "test")
SHIFTS = {"full": 1, "otsu": 5, "amcons": 3, "sam-reference": 0, "own-bright_parts": 4}
"""How far along X each row's masks lie from the references."""


def sealed(what):
    return Seal.now("by hand", what, {})


def drawn(project, case, shift):
    """The reference, moved along X and cut off at the brain."""
    mask = np.roll(project.references.read_cropped(case.info), shift, 2)
    mask[case.read("image") == 0] = 0
    return mask


def array_of(row):
    return TABLE1_ROWS.get(row, f"masks/{row}")


def with_rows(root, data):
    """Imported and no more, with masks of some rows, and maps of AMCons."""
    project = small_project(root, data)
    for case in project.cases():
        for row, shift in SHIFTS.items():
            case.write(array_of(row), drawn(project, case, shift), sealed(f"{row} of {case.info.name}"))
        case.write(map_of("amcons"), noisy_map(project, case), sealed(f"map of {case.info.name}"))
    return project


def noisy_map(project, case):
    """Higher inside the reference, by a good deal of noise."""
    generator = np.random.default_rng(int(case.info.name[1:]))
    inside = drawn(project, case, 0).astype(np.float32)
    found = ndimage.gaussian_filter(inside, 0.7) + 0.3 * generator.normal(size=inside.shape)
    return np.where(case.read("image") != 0, found, 0).astype(np.float16)
