"""Where a gradient of our own takes the place of PyTorch's."""

from __future__ import annotations

import torch
from torch import Tensor

OURS = (torch.float32, torch.bfloat16)
"""What they are made for; sums and means are in float32 always."""


def trains_on_cpu(volumes: Tensor) -> bool:
    """Whether a gradient by the volumes is asked for on a CPU, in one of `OURS`."""
    return volumes.requires_grad and volumes.device.type == "cpu" and volumes.dtype in OURS
