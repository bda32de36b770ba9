"""Volumes that lie every way a scan can, in a project of their own."""

import numpy as np
from scipy.spatial.transform import Rotation

from clisc_engine.project.store import Seal
from clisc_engine.running.control import Control
from clisc_engine.settings.keys import with_changes
from clisc_engine.settings.presets import preset
from clisc_engine.stages.init import Request, initialise
from tests.support.volumes import ball, write

CPU = Control(device="cpu")
SAGITTAL = np.array([[0, 0, 1.0], [1, 0, 0], [0, 1, 0]])
OBLIQUE = Rotation.from_euler("xyz", [17, -9, 24], degrees=True).as_matrix()
AXES = {
    "axial": np.eye(3),
    "flipped": np.diag([-1.0, -1.0, 1.0]),
    "upside-down": np.diag([1.0, -1.0, -1.0]),
    "left-handed": np.diag([-1.0, 1.0, 1.0]),
    "sagittal": SAGITTAL,
    "coronal": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "oblique": OBLIQUE,
    "oblique-sagittal": Rotation.from_euler("xyz", [8, 5, -11], degrees=True).as_matrix() @ SAGITTAL,
}


def imported(tmp_path, spacing, **changes):
    """A project of one volume for each way of lying, its references kept as ``masks/sam``."""
    rng = np.random.default_rng(5)
    for name, direction in AXES.items():
        brain = ball((12, 26, 30))
        where = {"spacing": spacing, "origin": (-31.0, 12.5, 7.0), "direction": direction}
        marks = ((rng.random(brain.shape) < 0.2) & (brain != 0)).astype(np.uint8)
        if changes:
            marks[:] = 0
            marks[4:9, 8:17, 9:20] = 1
        write(tmp_path / "images" / f"{name}_flair.nii.gz", brain, **where)
        write(tmp_path / "masks" / f"{name}_seg.nii.gz", marks, **where)
    request = Request(
        tmp_path / "p", str(tmp_path / "images"), str(tmp_path / "masks"), None, "1:0:0", False
    )
    project = initialise(request, with_changes(preset("tiny"), changes, "test"), CPU).project
    for case in project.cases():
        case.write("masks/sam", project.references.read_cropped(case.info), Seal.now("test", "f", {}))
    return project
