"""The demo's data set: phantom FLAIR volumes and their references as NIfTI files.

It stands for a plain study of gliomas: one scanner and one protocol with slices of 4 mm, clearly bright
solid lesions of 20 to 120 ml. The tiny models know harder lesions and other protocols too;
docs/model-card.md has the figures of each kind.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from clisc_engine.control import Control
from clisc_engine.imaging.phantom import LesionKind, Phantom, Protocol, make_phantom
from clisc_engine.imaging.volume import Geometry, write_image, write_mask

SHAPE = (36, 128, 112)
SPACING = (4.0, 1.6, 1.6)
KIND: LesionKind = "solid"
VOLUME_ML = (20.0, 120.0)
BRIGHTNESS = (1.6, 2.1)
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
    control.progress.begin("phantoms", cases, "case")
    for index in range(cases):
        control.check_stop()
        name = f"phantom-{index:03d}"
        image, reference = (
            folder / "images" / f"{name}_flair.nii.gz",
            folder / "references" / f"{name}_seg.nii.gz",
        )
        if not (image.exists() and reference.exists()):
            phantom = _phantom(phantom_seed(seed, index))
            z, y, x = phantom.spacing
            geometry = Geometry(
                phantom.image.shape[::-1], (x, y, z), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel())
            )
            write_image(image, phantom.image, geometry)
            write_mask(reference, phantom.mask, geometry)
        control.progress.advance(name)
    control.progress.end()
    return folder


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
