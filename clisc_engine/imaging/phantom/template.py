"""A healthy brain from average anatomy: the ICBM 152 template's tissue maps, bent and sharpened at random.

The template (Fonov et al., NeuroImage 54, 2011) is an average of 152 volunteers' T1 scans: no person's
anatomy, and symmetric. Random deformations make each brain its own and asymmetric. An average has no folds
of its own either: its borders are sharpened, and sulci are drawn into its ribbon of grey matter. The maps
come with the ``nilearn`` package (extra ``tiny``); only trainings of the bundled models need them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from clisc_engine.imaging.phantom.anatomy import Anatomy, Point, soft, sulci
from clisc_engine.imaging.phantom.noise import Floats, Grid, noise_field

BACK, UP = -17.0, 6.0  # mm from the phantom's centre to the template's origin


@dataclass(frozen=True)
class TemplateBrain:
    """Tissue probabilities (X, Y, Z) in [0, 1] on the template's grid, and its (4, 4) matrix to voxels."""

    grey: Floats
    white: Floats
    brain: Floats
    to_voxel: npt.NDArray[np.float64]

    def __call__(self, rng: np.random.Generator, z: Floats, y: Floats, x: Floats, step: Point) -> Anatomy:
        """Draw a brain on the grid of (Z, Y, X) coordinates in mm, ``step`` mm apart."""
        z, y, x = displaced(rng, z, y, x)
        grey, white, inside = self._sampled(z, y, x)
        brain = inside > 0.5
        depth = ndimage.distance_transform_edt(brain, step) - ndimage.distance_transform_edt(~brain, step)
        csf, grey, white = sharpened(rng, grey, white, brain)
        low_behind = ((z + UP < -18) & (-y + BACK < -42)).astype(np.float32)
        cerebellum = ndimage.gaussian_filter(low_behind, 1) * brain
        folded(rng, csf, grey, white, (z, y, x), depth, cerebellum, step)
        ventricle = csf * ((depth > 22) & (np.abs(x) < 42) & (z > -16) & (z < 48))
        away = ndimage.distance_transform_edt(ventricle < 0.5, step)
        return Anatomy(
            csf,
            grey,
            white,
            ventricle.astype(np.float32),
            away.astype(np.float32),
            depth.astype(np.float32),
            cerebellum.astype(np.float32),
            brain,
        )

    def _sampled(self, z: Floats, y: Floats, x: Floats) -> list[Floats]:
        world = np.stack([-x, -y + BACK, z + UP]).reshape(3, -1)
        voxel = (self.to_voxel[:3, :3] @ world + self.to_voxel[:3, 3:]).astype(np.float32)
        return [
            ndimage.map_coordinates(m, voxel, order=1, output=np.float32).reshape(z.shape)
            for m in (self.grey, self.white, self.brain)
        ]


def read_template() -> TemplateBrain:
    """The tissue maps at 1 mm, from nilearn's package files.

    Raises:
        ModuleNotFoundError: without nilearn.
    """
    from nilearn import datasets

    images = [
        load(resolution=1)
        for load in (
            datasets.load_mni152_gm_template,
            datasets.load_mni152_wm_template,
            datasets.load_mni152_brain_mask,
        )
    ]
    grey, white, brain = (np.asarray(image.dataobj, np.float32) for image in images)
    affine: Any = images[0].affine
    return TemplateBrain(grey, white, brain, np.linalg.inv(affine))


def displaced(rng: np.random.Generator, z: Floats, y: Floats, x: Floats) -> Grid:
    """Coordinates in mm, moved by up to some 6 mm slowly and some 3 mm quickly over space."""
    slow, fast = rng.uniform(1, 7), rng.uniform(0, 3)
    moves = [slow * noise_field(rng, 90)(z, y, x) + fast * noise_field(rng, 30)(z, y, x) for _ in range(3)]
    return z + moves[0], y + moves[1], x + moves[2]


def sharpened(rng: np.random.Generator, grey: Floats, white: Floats, brain: npt.NDArray[np.bool_]) -> Grid:
    """CSF, grey and white with steeper borders than an average has; from young brains to atrophy."""
    matter = np.maximum(grey + white, 1e-3)
    csf = np.clip(0.5 + rng.uniform(1, 4) * (1 - matter - rng.uniform(0.25, 0.55)), 0, 1) * brain
    share = np.clip(0.5 + rng.uniform(1, 3) * (grey / matter - 0.5), 0, 1)
    return csf, (1 - csf) * share * brain, (1 - csf) * (1 - share) * brain


def folded(
    rng: np.random.Generator,
    csf: Floats,
    grey: Floats,
    white: Floats,
    grid: Grid,
    depth: Floats,
    cerebellum: Floats,
    step: Point,
) -> None:
    """Draw sulci into the ribbon of grey matter, in place, at a random strength.

    Along their sheets CSF takes the tissue's place; between them white matter rises into the gyri.
    """
    sheet, half_width = sulci(rng, *grid, np.maximum(depth, 0).astype(np.float32), step)
    strength = rng.uniform(0, 1) * (rng.random() < 0.7)
    ribbon = np.clip(1.6 * grey, 0, 1) * soft(depth - 26, 8.0) * (1 - cerebellum)
    opened = strength * ribbon * soft(sheet - half_width, 1.8)
    risen = 0.8 * strength * ribbon * (1 - soft(sheet - rng.uniform(3.0, 5.0), 2.2)) * (1 - opened)
    risen = risen * (depth > 4)
    moved = grey * risen
    white += moved
    grey -= moved
    csf += (grey + white) * opened
    grey *= 1 - opened
    white *= 1 - opened
