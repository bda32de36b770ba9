"""A volume segmented from a script, without a project of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from clisc_engine.api.listing import as_html
from clisc_engine.api.project import Project
from clisc_engine.errors import BadInput
from clisc_engine.running.control import Control, Precision
from clisc_engine.running.device import check_precision

if TYPE_CHECKING:
    import SimpleITK as sitk

    from clisc_engine.imaging.geometry import Volume

Image: TypeAlias = "Path | str | npt.NDArray[Any] | sitk.Image"
"""A volume: a file or a DICOM folder, an array with its spacing, or a SimpleITK image."""


@dataclass(frozen=True, repr=False, eq=False)
class Segmentation:
    """What `predict` found in one volume, on the volume's own grid.

    Attributes:
        mask: (Z, Y, X) uint8, 1 in the tumour.
        probability: (Z, Y, X) float32 in [0, 1], 0 outside the brain.
        volume_ml: of the mask.
        notes: sentences about the volume, e.g. what of it was left out.
        image: the mask as a SimpleITK image on that grid, origin and directions included.
    """

    mask: npt.NDArray[np.uint8]
    probability: npt.NDArray[np.float32]
    volume_ml: float
    notes: tuple[str, ...]
    image: sitk.Image

    def __repr__(self) -> str:
        """Size, and how much was found."""
        facts = self._facts()
        return f"<clisc segmentation of {facts['voxels']} voxels: {facts['tumour']}>"

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return as_html(("", ""), self._facts().items()) + (f"<ul>{notes}</ul>" if notes else "")

    def _facts(self) -> dict[str, str]:
        return {
            "tumour": f"{self.volume_ml:.1f} ml",
            "voxels": " x ".join(str(size) for size in self.image.GetSize()),
            "spacing": " x ".join(f"{value:.4g}" for value in self.image.GetSpacing()) + " mm",
        }


def predict(
    model: Path | str | Project,
    image: Image,
    *,
    spacing: Sequence[float] | None = None,
    network: Literal["unet-round1", "unet-round2"] = "unet-round2",
    channel: int | None = None,
    allow_skull: bool = False,
    device: str = "auto",
    precision: Precision = "32",
) -> Segmentation:
    """Segment one volume with a project's network, a file by ``clisc export model``, or the bundled one.

    Args:
        model: a project or its folder, a ``*.clisc`` file, or ``bundled`` for the network that comes with
            clisc and knows phantoms alone.
        image: skull-stripped FLAIR: an image file, a DICOM folder, a 3-D SimpleITK image, or an array
            (Z, Y, X) of axial slices, z to the head, y to the back of the head, x to the patient's left.
        spacing: (z, y, x) in mm, of an array; files and images have their own.
        network: which of a project's networks.
        channel: which volume of a 4-D file, counted from 0.
        allow_skull: go on with a volume that looks not skull-stripped.
        device: auto, cpu, cuda, cuda:N or mps.
        precision: 32, bf16 or 16: the network's arithmetic.

    Raises:
        MissingStage: when the project has not trained the network.
        BadInput: when the volume cannot be used, an array comes without its spacing, or there is no such
            network.
    """
    from clisc_engine.imaging.geometry import to_sitk
    from clisc_engine.results.export import PREDICTED
    from clisc_engine.results.segmenter import open_segmenter

    if network not in PREDICTED.values():
        there = " and ".join(PREDICTED.values())
        raise BadInput(f"There is no network {network!r}; a project's are {there}.")
    is_file = isinstance(image, (str, Path))
    if channel is not None and not is_file:
        raise BadInput("channel chooses a volume of a 4-D file; of what is in memory, give the one volume.")
    volume = None if is_file else _in_memory(image, spacing)
    if is_file and spacing is not None:
        raise BadInput(f"spacing is that of an array; {image} says its own.")
    source = model.path if isinstance(model, Project) else Path(model)
    segmenter = open_segmenter(source, network, Control(device, check_precision(precision)))
    segmenter = segmenter.with_skulls() if allow_skull else segmenter
    if volume is None:
        found = segmenter.predict(Path(str(image)), channel)
    else:
        found = segmenter.predict_volume(volume)
    return Segmentation(
        found.mask, found.probability, found.volume_ml, found.notes, to_sitk(found.mask, found.geometry)
    )


def _in_memory(image: Any, spacing: Sequence[float] | None) -> Volume:
    """The volume that an array or an image is.

    Raises:
        BadInput: when it is neither, or has no spacing or two.
    """
    from clisc_engine.imaging.in_memory import volume_of_array, volume_of_image

    if isinstance(image, np.ndarray):
        if spacing is None:
            raise BadInput(
                "An array does not say how large its voxels are: give spacing=(z, y, x) in mm with it."
            )
        return volume_of_array(image, spacing)
    import SimpleITK as sitk

    if not isinstance(image, sitk.Image):
        kind = type(image).__name__
        raise BadInput(f"predict takes a path, an array or a SimpleITK image, not a {kind}.")
    if spacing is not None:
        raise BadInput("spacing is that of an array; a SimpleITK image has its own.")
    return volume_of_image(image)
