"""Where a gradient of our own takes the place of PyTorch's."""

from __future__ import annotations

import torch
from torch import Tensor


def trains_on_cpu(volumes: Tensor) -> bool:
    """Whether a gradient by the volumes is asked for in float32 on a CPU: ours are made for that."""
    return volumes.requires_grad and volumes.device.type == "cpu" and volumes.dtype == torch.float32
