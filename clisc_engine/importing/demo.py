"""The demo's data set: phantom FLAIR volumes and their references as NIfTI files.

It stands for a plain study of gliomas: one scanner and one protocol with slices of 4 mm, clearly bright
solid lesions of 30 to 120 ml. The tiny models know harder lesions and other protocols too;
docs/model-card.md has the figures of each kind.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np

from clisc_engine.errors import BadInput
from clisc_engine.imaging.geometry import Geometry
from clisc_engine.imaging.phantom import LesionKind, Phantom, Protocol, make_phantom
from clisc_engine.imaging.volume import write_image, write_mask
from clisc_engine.outputs.inputs import Inputs
from clisc_engine.outputs.outputs import Made, Outputs
from clisc_engine.running.control import Control
from clisc_engine.running.sharing import in_threads

SHAPE = (36, 128, 112)
SPACING = (4.0, 1.6, 1.6)
KIND: LesionKind = "solid"
VOLUME_ML = (30.0, 120.0)
BRIGHTNESS = (1.7, 2.2)
PROTOCOL = Protocol(grey=1.2, fluid=0.15, gamma=1.0, blur=0.6, noise=0.03, smooth_noise=0.6)
FIRST_TRAINING_SEED = 1_000_000
PHANTOM = re.compile(r"phantom-\d{3}_(?:flair|seg)\.nii\.gz")


def make_data_set(folder: Path, *, seed: int, cases: int, control: Control) -> Path:
    """Write ``images/`` and ``references/`` with one phantom a case; phantoms that are there are kept.

    Args:
        folder: where to write.
        seed: the same seed makes the same phantoms.
        cases: how many.
        control: progress and stop.

    Returns:
        The folder.

    Raises:
        BadInput: when there are other files, which would become part of the data set.
    """
    outputs = Outputs(Inputs(()), "Choose another folder for the demo.")
    wanted = {index: _files(folder, index) for index in range(cases)}
    lacking = {index: files for index, files in wanted.items() if not all(map(Path.exists, files))}
    outputs.check(file for files in lacking.values() for file in files)
    _check_others(folder)
    for name in ("images", "references"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    in_threads(
        "phantoms",
        {_name(index): index for index in wanted},
        lambda index: _write_phantom(outputs, wanted[index], seed, index) if index in lacking else None,
        control,
        unit="case",
    )
    return folder


def _name(index: int) -> str:
    return f"phantom-{index:03d}"


def _files(folder: Path, index: int) -> tuple[Path, Path]:
    """A phantom's image and its reference."""
    return (
        folder / "images" / f"{_name(index)}_flair.nii.gz",
        folder / "references" / f"{_name(index)}_seg.nii.gz",
    )


def _check_others(folder: Path) -> None:
    others = [
        path
        for part in ("images", "references")
        for path in sorted((folder / part).glob("*"))
        if not PHANTOM.fullmatch(path.name) and path.name[0] != "."
    ]
    if others:
        raise BadInput(
            f"{folder} holds other files than phantoms, first {others[0]}; choose another folder for the "
            "demo."
        )


def _write_phantom(outputs: Outputs, files: tuple[Path, Path], seed: int, index: int) -> None:
    phantom = _phantom(phantom_seed(seed, index))
    z, y, x = phantom.spacing
    grid = Geometry(phantom.image.shape[::-1], (x, y, z), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))
    made_from = {"seed": str(seed), "phantom": str(index)}
    image, reference = files
    outputs.put(image, partial(write_image, array=phantom.image, geometry=grid), Made("phantom", made_from))
    outputs.put(
        reference, partial(write_mask, mask=phantom.mask, geometry=grid), Made("reference", made_from)
    )


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
