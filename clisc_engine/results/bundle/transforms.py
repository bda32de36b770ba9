"""What a bundle's configuration names: the network, and how a volume gets to it and its mask back.

A bundle carries a copy of this file and of those that it imports (`carried`), so it computes what clisc
computes. What one leaves for the next lies in the data: MONAI Label loads this file anew for each of them.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.data import MetaTensor
from monai.networks.nets import UNet
from monai.transforms import MapTransform
from torch import Tensor

from clisc_engine.core.border import tumour_mask
from clisc_engine.errors import BadInput
from clisc_engine.imaging.background import find_background
from clisc_engine.imaging.geometry import Geometry, Volume, from_affine, squared
from clisc_engine.imaging.placement import Placement, restore
from clisc_engine.imaging.preprocess import preprocess
from clisc_engine.models.unet import at_spacing, resized

PLACEMENT = "clisc_placement"
"""Of an image's metadata: where the prepared volume lies in its file, as JSON."""

SHAPES = "clisc_shapes"
"""Likewise: the prepared volume's size, and that on the network's own grid."""

STORED = "stored"
"""Of the data: (1, Z, Y, X) float16, the prepared volume before it is brought to the network's grid."""

MAX_SHEAR = 0.1
"""Voxels: axes that are further from a right angle are refused."""


class TumourUNet(UNet):
    """MONAI's U-Net whose output are the probabilities of background and tumour."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, Z, Y, X) normalised intensities to (B, 2, Z, Y, X) in [0, 1]."""
        return self.model(x).float().softmax(dim=1)


class Prepare(MapTransform):
    """A skull-stripped volume (1, X, Y, Z) as MONAI loads it, made ready for the network: (1, Z, Y, X)."""

    def __init__(
        self,
        keys: str | Sequence[str],
        *,
        clip_percentile: float,
        resample_in_plane: float,
        allow_skull: bool,
        spacing: Sequence[float],
        resize: Sequence[int] | None,
    ) -> None:
        """See clisc's settings ``image`` and ``unet``.

        Args:
            keys: of the image.
            clip_percentile: of the brain's intensities.
            resample_in_plane: mm of a pixel, 0 for the volume's own.
            allow_skull: take volumes that look not skull-stripped.
            spacing: (z, y, x) in mm of the network's grid, empty for the volume's own.
            resize: (z, y, x) to which the whole volume is brought, None for windows.
        """
        super().__init__(keys)
        self.clip_percentile = clip_percentile
        self.resample_in_plane = resample_in_plane or None
        self.allow_skull = allow_skull
        self.spacing = tuple(spacing)
        self.resize = tuple(resize) if resize else None

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data with its image prepared, and with `STORED`.

        Raises:
            BadInput: when the volume cannot be used, or looks not skull-stripped.
        """
        found = dict(data)
        for key in self.key_iterator(found):
            found[key], found[STORED] = self._prepared(found[key])
        return found

    def _prepared(self, image: MetaTensor) -> tuple[MetaTensor, Tensor]:
        volume = _volume(image)
        if not self.allow_skull and not find_background(volume.array, volume.source).surrounds:
            raise BadInput(f"{volume.source} looks not skull-stripped; extract the brain first.")
        whole, spacing, placement = preprocess(
            volume, clip_percentile=self.clip_percentile, resample_in_plane=self.resample_in_plane
        )
        stored = whole.astype(np.float16)  # as the network's training volumes were kept
        seen = at_spacing(stored, spacing, self.spacing)
        ready = resized(seen, self.resize) if self.resize else seen
        told = {
            PLACEMENT: json.dumps(placement.to_dict()),
            SHAPES: json.dumps([stored.shape, seen.shape]),
        }
        prepared = MetaTensor(torch.from_numpy(np.ascontiguousarray(ready))[None], meta=image.meta | told)
        return prepared, torch.from_numpy(stored)[None]


class Restore(MapTransform):
    """Probabilities (2, Z, Y, X) made a mask (1, X, Y, Z) of 0 and 1 on the grid of the image's file."""

    def __init__(
        self,
        keys: str | Sequence[str],
        *,
        ref_image: str = "image",
        border: float,
        largest_component: bool,
        rival_share: float,
    ) -> None:
        """Of these predictions.

        Args:
            keys: of the predictions.
            ref_image: key of the image that `Prepare` prepared.
            border: mm by which brightness moves their border.
            largest_component: keep that one alone, or the surest of several.
            rival_share: how large that one must be, as a share of the largest.
        """
        super().__init__(keys)
        self.ref_image = ref_image
        self.border = border
        self.largest_component = largest_component
        self.rival_share = rival_share

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data with each prediction made a mask."""
        found = dict(data)
        for key in self.key_iterator(found):
            found[key] = self._restored(found[key], found[self.ref_image].meta, found[STORED])
        return found

    def _restored(self, prediction: Tensor, meta: dict[str, Any], image: Tensor) -> MetaTensor:
        placement = Placement.from_dict(json.loads(meta[PLACEMENT]))
        stored, seen = (tuple(shape) for shape in json.loads(meta[SHAPES]))
        probability: npt.NDArray[np.float32] = np.asarray(prediction.detach().cpu(), np.float32)[1]
        probability = resized(resized(probability, seen), stored)
        mask = tumour_mask(
            probability,
            np.asarray(image.cpu())[0],
            placement.spacing,
            border=self.border,
            largest_alone=self.largest_component,
            rival_share=self.rival_share,
        )
        whole = np.ascontiguousarray(restore(mask, placement).transpose(2, 1, 0))
        kept = {name: value for name, value in meta.items() if name not in (PLACEMENT, SHAPES)}
        return MetaTensor(torch.from_numpy(whole)[None], meta=kept)


def _volume(image: MetaTensor) -> Volume:
    """The voxels and grid of an image that MONAI loaded.

    Raises:
        BadInput: when it has several channels, or axes that are not at right angles.
    """
    name = str(image.meta.get("filename_or_obj", "the image"))
    if image.ndim != 4 or image.shape[0] != 1:
        raise BadInput(f"{name} is not one grey volume: it has the shape {tuple(image.shape)}.")
    array = np.asarray(image.cpu(), np.float32)[0].transpose(2, 1, 0)
    grid = _grid(image, name)
    return Volume(np.ascontiguousarray(array), grid, name)


def _grid(image: MetaTensor, name: str) -> Geometry:
    affine = np.asarray(image.affine.cpu(), np.float64)
    pixdim = image.meta.get("pixdim")
    spacing = None if pixdim is None else tuple(float(value) for value in pixdim[1:4])
    grid = from_affine(affine, tuple(image.shape[1:]), spacing)
    straight, moved = squared(grid)
    if moved > MAX_SHEAR:
        raise BadInput(f"{name} is sheared; resample it to a straight grid.")
    return straight if moved > 0.01 else grid
