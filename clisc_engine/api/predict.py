"""A volume segmented from a script, without a project of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from clisc_engine.running.control import Control

if TYPE_CHECKING:
    import SimpleITK as sitk


@dataclass(frozen=True)
class Segmentation:
    """What `predict` found in one volume, on the grid of its file.

    Attributes:
        mask: (Z, Y, X) uint8, 1 in the tumour.
        probability: (Z, Y, X) float32 in [0, 1], 0 outside the brain.
        volume_ml: of the mask.
        notes: sentences about the file, e.g. what of it was left out.
        image: the mask as a SimpleITK image on the file's grid, origin and directions included.
    """

    mask: npt.NDArray[np.uint8]
    probability: npt.NDArray[np.float32]
    volume_ml: float
    notes: tuple[str, ...]
    image: sitk.Image


def predict(
    model: Path | str,
    image: Path | str,
    *,
    network: Literal["unet-round1", "unet-round2"] = "unet-round2",
    channel: int | None = None,
    device: str = "auto",
) -> Segmentation:
    """Segment one volume with a project's network or with a file by ``clisc export model``.

    Args:
        model: project folder, or ``*.clisc`` file.
        image: skull-stripped FLAIR: an image file or a DICOM folder.
        network: which of a project's networks.
        channel: which volume of a 4-D file, counted from 0.
        device: auto, cpu, cuda, cuda:N or mps.

    Raises:
        MissingStage: when the project has not trained the network.
        BadInput: when the volume cannot be used.
    """
    from clisc_engine.imaging.geometry import to_sitk
    from clisc_engine.results.segmenter import open_segmenter

    segmenter = open_segmenter(Path(model), network, Control(device))
    found = segmenter.predict(Path(image), channel)
    return Segmentation(
        found.mask, found.probability, found.volume_ml, found.notes, to_sitk(found.mask, found.geometry)
    )
