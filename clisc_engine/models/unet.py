"""The 3-D U-Net and its prediction of whole volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from clisc_engine.core.levels import level_strides
from clisc_engine.models.residual_unet import ResidualUNet
from clisc_engine.models.windows import in_windows
from clisc_engine.running.device import autocast


def build_unet(channels: Sequence[int], spacing: Sequence[float] = ()) -> nn.Module:
    """The U-Net from one channel to two classes.

    Args:
        channels: of the levels, finest first; levels are a factor of 2 apart.
        spacing: (z, y, x) in mm of the volumes that it will see. Axes that are more than 1.5 times
            coarser than the finest one are halved at later levels only, as nnU-Net does. Empty
            halves all axes at each level.
    """
    return ResidualUNet(1, 2, tuple(channels), level_strides(len(channels) - 1, spacing))


def at_spacing(
    volume: npt.NDArray[Any], spacing: Sequence[float], wanted: Sequence[float]
) -> npt.NDArray[np.float32]:
    """A (Z, Y, X) volume resampled, float32; as it is when ``wanted`` is empty.

    Linear interpolation, after a Gaussian along the axes that become coarser. `resized` is the way back.

    Args:
        volume: image or mask.
        spacing: its (z, y, x) in mm.
        wanted: (z, y, x) in mm; the grid's extent stays, so voxels come out as near to it as fits.
    """
    volume = volume.astype(np.float32)
    shape = volume.shape
    if wanted:
        sides = zip(volume.shape, spacing, wanted, strict=True)
        shape = tuple(max(1, round(n * old / new)) for n, old, new in sides)
    if shape == volume.shape:
        return volume
    ratios = [before / after for before, after in zip(volume.shape, shape, strict=True)]
    smooth = ndimage.gaussian_filter(volume, [max(0.0, 0.3 * (ratio - 1)) for ratio in ratios])
    return resized(smooth, shape)


def resized(volume: npt.NDArray[np.float32], shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """A (Z, Y, X) volume interpolated linearly onto another number of voxels over the same extent."""
    if volume.shape == shape:
        return volume
    tensor = torch.from_numpy(np.ascontiguousarray(volume))[None, None]
    found: npt.NDArray[np.float32] = functional.interpolate(
        tensor, shape, mode="trilinear", align_corners=False
    )[0, 0].numpy()
    return found


@torch.inference_mode()
def predict_volume(
    network: nn.Module,
    image: npt.NDArray[np.float32],
    patch: Sequence[int],
    *,
    mode: Literal["sliding", "resize"],
    overlap: float,
    batch_size: int,
    device: torch.device,
    precision: Literal["32", "bf16", "16"],
) -> npt.NDArray[np.float32]:
    """Tumour probability (Z, Y, X) of a volume.

    Args:
        network: from `build_unet`, in evaluation mode.
        image: (Z, Y, X) normalised volume of any size.
        patch: (Z, Y, X) input size of the network.
        mode: ``sliding`` windows with Gaussian weights, or ``resize`` of the whole volume.
        overlap: of neighbouring windows, in [0, 1).
        batch_size: windows at once.
        device: where the network is.
        precision: arithmetic under autocast.
    """
    volume = torch.from_numpy(np.ascontiguousarray(image))[None, None].to(device)

    def tumour(windows: Tensor) -> Tensor:
        with autocast(device, precision):
            logits = network(windows)
        return logits.float().softmax(dim=1)[:, 1:]

    if mode == "resize":
        small = functional.interpolate(volume, tuple(patch), mode="trilinear", align_corners=False)
        probability = functional.interpolate(
            tumour(small), image.shape, mode="trilinear", align_corners=False
        )
    else:
        probability = in_windows(volume, tuple(patch), batch_size, tumour, overlap)
    result: npt.NDArray[np.float32] = probability[0, 0].cpu().numpy().astype(np.float32)
    return result
