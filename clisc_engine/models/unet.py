"""The 3-D U-Net and its prediction of whole volumes, with MONAI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from monai.inferers import sliding_window_inference
from monai.networks.nets import UNet
from torch import Tensor, nn
from torch.nn import functional

from clisc_engine.models.device import autocast


def build_unet(channels: Sequence[int]) -> nn.Module:
    """MONAI's U-Net from one channel to two classes; levels are a factor of 2 apart."""
    network: nn.Module = UNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=2,
        channels=tuple(channels),
        strides=(2,) * (len(channels) - 1),
        num_res_units=2,
    )
    return network


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
        probability = sliding_window_inference(
            volume, tuple(patch), batch_size, tumour, overlap=overlap, mode="gaussian"
        )
    result: npt.NDArray[np.float32] = probability[0, 0].cpu().numpy().astype(np.float32)
    return result
