"""Projects to measure stages on, and full-size weights drawn at random: speed does not depend on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from benchmarks.measure import randomise
from clisc_engine.imaging.geometry import Geometry
from clisc_engine.imaging.placement import Placement
from clisc_engine.project.case_record import CaseInfo
from clisc_engine.project.project import CaseArrays, Project, create
from clisc_engine.project.store import Seal
from clisc_engine.settings.keys import with_changes
from clisc_engine.settings.presets import preset


def project_of(
    root: Path, images: Sequence[npt.NDArray[Any]], changes: Mapping[str, Any], kind: str = "paper"
) -> Project:
    """A project whose train cases hold these (Z, Y, X) images, cropped to the brain as `init` does."""
    project = create(root, with_changes(preset(kind), changes, "benchmark"))
    for index, whole in enumerate(images):
        box = brain_box(whole)
        image = whole[box]
        inside = image != 0
        values = (image - image[inside].mean()) / image[inside].std()
        name = f"case-{index:03d}"
        placement = _placement(whole, box).to_dict()
        info = CaseInfo(name, "train", (1.0, 1.0, 1.0), placement, name, "", False)
        stored = np.where(inside, values, 0).astype(np.float16)
        project.add_case(info, stored, Seal.now("init", f"image-{index}", {}))
    return project


def _placement(whole: npt.NDArray[Any], box: tuple[slice, ...]) -> Placement:
    z, y, x = whole.shape
    grid = Geometry((x, y, z), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))
    crop_z, crop_y, crop_x = ((side.start, side.stop) for side in box)
    return Placement(grid, grid, (crop_z, crop_y, crop_x))


def brain_box(image: npt.NDArray[Any]) -> tuple[slice, ...]:
    """The box of an image's brain."""
    box: tuple[slice, ...] = ndimage.find_objects((image != 0).astype(np.uint8))[0]
    return box


def add(case: CaseArrays, array: str, data: npt.NDArray[Any]) -> None:
    """Give a case an array that an earlier stage would have made."""
    case.write(array, data, Seal.now("benchmark", f"{case.info.name}-{array}", {}))


def sam_file(folder: Path) -> Path:
    """A SAM ViT-B of random weights in upstream's format."""
    from segment_anything import sam_model_registry

    path = folder / "sam_vit_b.pth"
    network = sam_model_registry["vit_b"](checkpoint=None)
    randomise(network.image_encoder.named_parameters())
    torch.save(network.state_dict(), path)
    return path
