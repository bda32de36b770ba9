"""Gradients in bfloat16 of volumes with few planes, whatever was in memory before."""

import numpy as np
import pytest
import torch

from clisc_engine.models.unet import build_unet
from clisc_engine.running.device import autocast

CPU = torch.device("cpu")


def leave_in_memory(value):
    """Fill blocks of many sizes with a value and free them: what is not written next holds it."""
    sizes = [27 * channels for channels in (64, 256, 1024)] + [4**power for power in range(3, 9)]
    blocks = [torch.full((size,), value, dtype=torch.bfloat16) for size in sizes for _ in range(12)]
    del blocks


def gradients(network, volumes, precision, value):
    network.zero_grad()
    leave_in_memory(value)
    with autocast(CPU, precision):
        found = network(volumes)
    loss = (found.float() * torch.linspace(-1, 1, found.numel()).view(found.shape)).mean()
    leave_in_memory(value)
    loss.backward()
    return [weights.grad.flatten().double() for weights in network.parameters()]


@pytest.mark.parametrize(
    ("spacing", "shape"),
    [
        ((), (32, 32, 32)),
        ((), (16, 32, 32)),
        ((9.0, 4.0, 4.0), (16, 64, 32)),
        ((4.0, 1.0, 1.0), (16, 64, 64)),
    ],
)
@pytest.mark.parametrize("batch", [1, 2])
def test_they_are_those_of_float32_but_for_rounding(spacing, shape, batch):
    torch.manual_seed(0)
    network = build_unet((8, 8, 16, 16, 16), spacing).to(memory_format=torch.channels_last_3d)
    volumes = torch.randn(batch, 1, *shape).contiguous(memory_format=torch.channels_last_3d)
    exact = gradients(network, volumes, "32", 0.0)
    rounded = gradients(network, volumes, "bf16", 0.0)
    for value in (float("nan"), 1e30):
        again = gradients(network, volumes, "bf16", value)
        assert all(torch.equal(one, other) for one, other in zip(rounded, again, strict=True)), value
    one, other = torch.cat(exact), torch.cat(rounded)
    assert np.isclose(float(torch.cosine_similarity(one, other, dim=0)), 1, atol=0.02)
