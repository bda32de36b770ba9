"""The demo's data set: phantom FLAIR volumes and their references as NIfTI files.

It stands for a plain study of gliomas: one scanner and one protocol with slices of 4 mm, clearly bright
solid lesions of 30 to 120 ml. The tiny models know harder lesions and other protocols too;
docs/model-card.md has the figures of each kind.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from clisc_engine.control import Control
from clisc_engine.imaging.geometry import Geometry
from clisc_engine.imaging.phantom import LesionKind, Phantom, Protocol, make_phantom
from clisc_engine.imaging.volume import write_image, write_mask
from clisc_engine.runner import in_threads

SHAPE = (36, 128, 112)
SPACING = (4.0, 1.6, 1.6)
KIND: LesionKind = "solid"
VOLUME_ML = (30.0, 120.0)
BRIGHTNESS = (1.7, 2.2)
PROTOCOL = Protocol(grey=1.2, fluid=0.15, gamma=1.0, blur=0.6, noise=0.03, smooth_noise=0.6)
FIRST_TRAINING_SEED = 1_000_000


def make_data_set(folder: Path, *, seed: int, cases: int, control: Control) -> Path:
    """Write ``images/`` and ``references/`` with one phantom a case; files there are kept.

    Args:
        folder: where to write.
        seed: the same seed makes the same phantoms.
        cases: how many.
        control: progress and stop.

    Returns:
        The folder.
    """
    for name in ("images", "references"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    in_threads(
        "phantoms",
        {_name(index): index for index in range(cases)},
        lambda index: _write_phantom(folder, seed, index),
        control,
        unit="case",
    )
    return folder


def _name(index: int) -> str:
    return f"phantom-{index:03d}"


def _write_phantom(folder: Path, seed: int, index: int) -> None:
    image = folder / "images" / f"{_name(index)}_flair.nii.gz"
    reference = folder / "references" / f"{_name(index)}_seg.nii.gz"
    if image.exists() and reference.exists():
        return
    phantom = _phantom(phantom_seed(seed, index))
    z, y, x = phantom.spacing
    grid = Geometry(phantom.image.shape[::-1], (x, y, z), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))
    write_image(image, phantom.image, grid)
    write_mask(reference, phantom.mask, grid)


def _phantom(seed: int) -> Phantom:
    rng = np.random.default_rng([seed, 1])
    volume = float(np.exp(rng.uniform(*np.log(VOLUME_ML))))
    return make_phantom(
        seed,
        shape=SHAPE,
        spacing=SPACING,
        kind=KIND,
        volume_ml=volume,
        brightness=float(rng.uniform(*BRIGHTNESS)),
        protocol=PROTOCOL,
    )


def phantom_seed(seed: int, index: int) -> int:
    """Seed of one phantom of a demo, under the million from which the tiny models' seeds start."""
    return (seed * 1000 + index) % FIRST_TRAINING_SEED
