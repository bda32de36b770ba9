"""Instance normalisation, against its definition in float64 and against PyTorch's own."""

import pytest
import torch
from torch import nn

from clisc_engine.models.instance_norm import InstanceNorm

CHANNELS_LAST = torch.channels_last_3d


def answers(norm, volumes, weight):
    """What it makes of volumes, and the gradient by them of the weighted sum."""
    volumes = volumes.clone().requires_grad_()
    found = norm(volumes)
    (found * weight).sum().backward()
    return found.detach(), volumes.grad


def by_definition(volumes, eps=1e-5):
    volumes = volumes.flatten(2)
    centred = volumes - volumes.mean(2, keepdim=True)
    return centred / (centred.square().mean(2, keepdim=True) + eps).sqrt()


@pytest.mark.parametrize(
    "shape", [(2, 8, 6, 5, 4), (1, 16, 3, 1, 7), (3, 32, 2, 2, 2), (2, 64, 40, 40, 40)]
)
@pytest.mark.parametrize(("mean", "spread"), [(0.0, 1.0), (50.0, 0.5), (3.0, 0.0)])
def test_it_normalises_each_channel_of_each_volume_and_keeps_the_layout(shape, mean, spread):
    generator = torch.Generator().manual_seed(0)
    volumes = mean + spread * torch.randn(shape, generator=generator)
    weight = torch.randn(shape, generator=generator)
    quick, gradient = answers(InstanceNorm(shape[1]), volumes.to(memory_format=CHANNELS_LAST), weight)
    assert quick.is_contiguous(memory_format=CHANNELS_LAST)
    exact = volumes.double().requires_grad_()
    wanted = by_definition(exact).view(shape)
    (wanted * weight).sum().backward()
    torch.testing.assert_close(quick.double(), wanted.detach(), rtol=1e-4, atol=3e-4)
    allowed = {"rtol": 1e-3, "atol": 1e-3 * float(exact.grad.abs().max())}
    torch.testing.assert_close(gradient.double(), exact.grad, **allowed)


@pytest.mark.parametrize("channels", [2, 8])
@pytest.mark.parametrize("layout", [torch.contiguous_format, CHANNELS_LAST])
def test_without_gradients_and_on_other_layouts_it_is_pytorchs_to_the_bit(channels, layout):
    volumes = torch.randn(2, channels, 6, 5, 4).to(memory_format=layout)
    ours, theirs = InstanceNorm(channels), nn.InstanceNorm3d(channels)
    with torch.no_grad():
        assert torch.equal(ours(volumes), theirs(volumes))
    if layout is torch.contiguous_format:
        weight = torch.randn(volumes.shape)
        both = zip(answers(ours, volumes, weight), answers(theirs, volumes, weight), strict=True)
        assert all(torch.equal(one, other) for one, other in both)


def test_gradients_of_half_precision_are_pytorchs():
    volumes, weight = torch.randn(2, 2, 8, 6, 5, 4).to(torch.float16)
    volumes = volumes.to(memory_format=CHANNELS_LAST)
    both = zip(
        *(answers(norm(8), volumes, weight) for norm in (InstanceNorm, nn.InstanceNorm3d)), strict=True
    )
    assert all(torch.equal(one, other) for one, other in both)


@pytest.mark.parametrize("mean", [0.0, 20.0])
def test_in_bfloat16_it_is_as_exact_as_bfloat16_is(mean):
    volumes = (mean + torch.randn(2, 16, 24, 24, 24)).bfloat16().to(memory_format=CHANNELS_LAST)
    weight = torch.randn(volumes.shape).bfloat16()
    quick, gradient = answers(InstanceNorm(16), volumes, weight)
    assert quick.dtype == gradient.dtype == torch.bfloat16
    assert quick.is_contiguous(memory_format=CHANNELS_LAST)
    exact = volumes.double().requires_grad_()
    wanted = by_definition(exact).view(volumes.shape)
    (wanted * weight).sum().backward()
    torch.testing.assert_close(quick.double(), wanted.detach(), rtol=2**-8, atol=2e-3)
    torch.testing.assert_close(
        gradient.double(), exact.grad, rtol=2**-7, atol=2e-3 * float(exact.grad.abs().max())
    )


def test_a_volume_of_one_voxel_is_refused_as_pytorch_does():
    one = torch.ones(1, 8, 1, 1, 1).to(memory_format=CHANNELS_LAST).requires_grad_()
    with pytest.raises(ValueError, match="more than 1 spatial"):
        InstanceNorm(8)(one)
