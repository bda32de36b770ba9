"""PReLU, against its definition in float64 and against PyTorch's own."""

import pytest
import torch
from torch import nn

from clisc_engine.models.prelu import PReLU

CHANNELS_LAST = torch.channels_last_3d


def answers(module, volumes, weight, slope):
    """What it makes of volumes, and the gradients by them and by the slope of the weighted sum."""
    with torch.no_grad():
        module.weight.fill_(slope)
    volumes = volumes.clone().requires_grad_()
    found = module(volumes)
    (found * weight).sum().backward()
    return found.detach(), volumes.grad, module.weight.grad


def drawn(shape, layout):
    generator = torch.Generator().manual_seed(0)
    volumes, weight = (torch.randn(shape, generator=generator) for _ in range(2))
    volumes[:, :, 0] = 0.0
    return volumes.to(memory_format=layout), weight


@pytest.mark.parametrize("slope", [0.25, 0.0, -0.5, 1.0, 3.0])
@pytest.mark.parametrize("layout", [torch.contiguous_format, CHANNELS_LAST])
@pytest.mark.parametrize("shape", [(2, 16, 6, 5, 4), (1, 2, 40, 40, 40), (1, 1, 1, 1, 1)])
def test_it_is_pytorchs_to_the_bit_and_its_slopes_gradient_is_the_sum(shape, layout, slope):
    volumes, weight = drawn(shape, layout)
    ours, theirs = (answers(module, volumes, weight, slope) for module in (PReLU(), nn.PReLU()))
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))
    assert ours[0].stride() == theirs[0].stride()
    by_slope = ours[2]
    exact = (volumes.double().clamp(max=0) * weight.double()).sum()
    spread = float((volumes.clamp(max=0) * weight).abs().sum())
    assert abs(by_slope.double() - exact) <= 1e-6 * spread
    assert by_slope.shape == (1,)


def test_only_the_slopes_gradient_is_asked_for_where_the_volumes_are_given():
    volumes, weight = drawn((2, 1, 4, 5, 6), CHANNELS_LAST)
    module = PReLU()
    (module(volumes) * weight).sum().backward()
    exact = (volumes.double().clamp(max=0) * weight.double()).sum()
    assert float(module.weight.grad) == pytest.approx(float(exact), rel=1e-5)


def test_gradients_of_half_precision_are_pytorchs():
    volumes, weight = (tensor.half() for tensor in drawn((2, 8, 6, 5, 4), CHANNELS_LAST))
    ours, theirs = (answers(module.half(), volumes, weight, 0.25) for module in (PReLU(), nn.PReLU()))
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_in_bfloat16_the_slopes_gradient_is_summed_in_float32():
    volumes, weight = (tensor.bfloat16() for tensor in drawn((1, 16, 40, 40, 40), CHANNELS_LAST))
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = (answers(module, volumes, weight, 0.25) for module in (PReLU(), nn.PReLU()))
    assert ours[0].dtype == torch.bfloat16
    assert all(torch.equal(one, other) for one, other in zip(ours[:2], theirs[:2], strict=True))
    exact = (volumes.double().clamp(max=0) * weight.double()).sum()
    spread = float((volumes.double().clamp(max=0) * weight.double()).square().sum().sqrt())
    assert abs(ours[2].double() - exact) <= 0.01 * spread


def test_a_gradient_of_another_layout_than_the_volumes_is_taken():
    volumes, weight = drawn((2, 8, 6, 5, 4), CHANNELS_LAST)
    by = []
    for module in (PReLU(), nn.PReLU()):
        leaf = volumes.clone().requires_grad_()
        module(leaf).contiguous().backward(weight.contiguous())
        by.append(leaf.grad)
    assert torch.equal(*by)
