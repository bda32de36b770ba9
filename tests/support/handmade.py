"""A project by hand that holds all arrays and networks; fingerprints tell what they are of."""

import numpy as np
import torch

from clisc_engine.project.case_record import CaseInfo
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.project.project import create
from clisc_engine.project.store import Seal
from clisc_engine.settings.keys import with_changes
from clisc_engine.settings.presets import preset

SPLITS = {"a": "train", "b": "train", "v": "valid", "t": "test"}
GRID = {
    "size": (4, 4, 3),
    "spacing": (1.0, 1.0, 2.0),
    "origin": (0.0, 0.0, 0.0),
    "direction": [1.0, 0, 0, 0, 1, 0, 0, 0, 1],
}
PLACEMENT = {"source": GRID, "grid": GRID, "crop": [[0, 3], [0, 4], [0, 4]]}
VARIANTS = {
    "as it is": {},
    "best": {"classifier.select": "best", "unet.select": "best"},
    "from scratch": {"s3f.start": "scratch"},
    "other": {"roi.threshold": 0.5, "prompts.kind": "box", "cam.method": "gradcam", "seed": 7},
}
"""Changed settings of the tiny preset under which products are made from other things."""


TINY_OF_0_1_0 = {
    "label.smoothing": 0.0,
    "classifier.passes": 0.0,
    "roi.smoothing": 0.0,
    "amda.fill": "black",
    "sam.mirror": False,
    "sam.border": 0.0,
    "unet.border": 0.0,
    "unet.rival_share": 1.0,
    "prompts.region": "map",
    "unet.start": "scratch",
    "unet.epochs": 45,
    "unet.learning_rate": 0.008,
    "s3f.epochs": 22,
    "s3f.learning_rate": 0.002,
}
"""What the tiny preset said in 0.1.0 and says otherwise now."""


def settings_of(variant):
    return with_changes(preset("tiny"), {**TINY_OF_0_1_0, **VARIANTS[variant]}, "test")


def declared_project(root, arrays, networks, variant="as it is"):
    """A project of four cases that holds these arrays and networks, all empty.

    The seal of ``masks/sam`` of the case a has the fingerprint ``<masks/sam of a>``.
    """
    project = create(root, settings_of(variant))
    for name, split in SPLITS.items():
        info = CaseInfo(name, split, (2.0, 1.0, 1.0), PLACEMENT, f"{name}.nii.gz", "00", has_reference=True)
        project.add_case(info, np.zeros((3, 4, 4), np.float16), seal(f"image of {name}"))
        for array in arrays:
            if array != "image":
                case = project.case(name)
                shape = (3,) if array.startswith("labels/") else (3, 4, 4)
                kind = np.float32 if array == "labels/probability" else np.uint8
                case.write(array, np.zeros(shape, kind), seal(f"{array} of {name}"))
    for name in networks:
        weights = {"weight": torch.zeros(1)}
        Checkpoint(project.checkpoints, name).finish(weights, {"trained": name}, keep_state=False)
    return project


def seal(what):
    return Seal.now("test", f"<{what}>", {})
