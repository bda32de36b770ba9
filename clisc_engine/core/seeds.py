"""Random draws of one case alone: they do not depend on the order of the cases, nor on who does them.

Two formulas, since the masks and maps of projects that are there were drawn by them.
"""

from __future__ import annotations

import zlib

import numpy as np


def case_seed(seed: int, name: str) -> int:
    """The seed of the draws of SAM's points in the case ``name``, from the project's seed."""
    return seed * 1_000_003 + zlib.crc32(name.encode())


def case_generator(seed: int, name: str) -> np.random.Generator:
    """The generator of AMDA's random regions in the case ``name``, from the project's seed."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])
