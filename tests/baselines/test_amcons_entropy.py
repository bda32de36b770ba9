"""AMCons's entropy and loss, by known values and by SciPy."""

import math

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy as scipy_entropy

from clisc_engine.baselines.amcons.entropy import entropy, loss, mean_activation
from clisc_engine.baselines.vae.maths import enlarged, eroded
from clisc_engine.baselines.vae.network import Outputs

EVERYWHERE = torch.ones(6, 7, dtype=torch.bool)


def test_a_constant_map_has_the_largest_entropy_and_no_slope():
    maps = torch.full((2, 6, 7), 3.0, requires_grad=True)
    found = entropy(maps, EVERYWHERE)
    assert torch.allclose(found, torch.full((2,), math.log(42)))
    found.sum().backward()
    assert maps.grad.abs().max() < 1e-6


def test_one_huge_value_leaves_no_entropy():
    maps = torch.zeros(1, 6, 7)
    maps[0, 2, 3] = 1e4
    assert entropy(maps, EVERYWHERE).item() == pytest.approx(0, abs=1e-6)


def test_entropy_is_scipys_over_the_brain():
    generator = torch.Generator().manual_seed(0)
    maps = 3 * torch.rand(3, 6, 7, generator=generator)
    brain = torch.rand(6, 7, generator=generator) < 0.5
    oracle = [scipy_entropy(softmax(one[brain].numpy())) for one in maps]
    assert np.allclose(entropy(maps, brain), oracle, atol=1e-5)
    assert torch.equal(entropy(maps, torch.zeros_like(brain)), torch.zeros(3))


def test_the_map_is_the_mean_over_channels():
    features = torch.rand(2, 4, 3, 3)
    assert torch.allclose(mean_activation(features, torch.zeros(2, 1), True), features.sum(1) / 4)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    slices = torch.zeros(2, 1, 32, 32)
    slices[0, 0, 4:20, 4:28] = 0.5
    slices[1, 0, 10:30, 6:26] = 0.8
    draws = (torch.randn(shape, generator=generator) for shape in [(2, 1, 32, 32), (2, 4), (2, 4)])
    return Outputs(*draws, torch.rand(2, 16, 16, generator=generator)), slices


def test_the_loss_by_hand(batch):
    outputs, slices = batch
    p = torch.sigmoid(outputs.logits.double())
    bce = -(slices * p.log() + (1 - slices) * (1 - p).log()).sum() / 2
    kl = -0.5 * (1 + outputs.log_variance - outputs.mu**2 - outputs.log_variance.exp()).sum() / 2
    brain = eroded(slices[:, 0].amax(0, keepdim=True) > 0, 6)[0]
    h = entropy(enlarged(outputs.attention, 32), brain).mean()
    options = {"kl_weight": 10, "erosion": 6}
    assert loss(outputs, slices, entropy_weight=0, **options) == pytest.approx((bce + 10 * kl).item(), 1e-5)
    full = loss(outputs, slices, entropy_weight=100, **options)
    assert full.item() == pytest.approx((bce + 10 * kl - 100 * h).item(), 1e-5)


def test_the_loss_does_not_see_the_map_outside_the_eroded_union(batch):
    outputs, slices = batch
    attention = outputs.attention.clone().requires_grad_()
    marked = Outputs(outputs.logits, outputs.mu, outputs.log_variance, attention)
    loss(marked, slices, kl_weight=10, entropy_weight=0.1, erosion=6).backward()
    union = torch.zeros(32, 32, dtype=torch.bool)
    union[4:20, 4:28] = True
    union[10:30, 6:26] = True
    seen = enlarged(attention.grad.abs().sum(0, keepdim=True), 32)[0] > 0
    assert seen[12:18, 12:20].any() and not seen[:2].any() and not seen[:, 30:].any()
    assert not (seen & ~union)[:4].any()


def test_a_batch_of_one_without_brain_has_a_loss(batch):
    outputs, _ = batch
    one = Outputs(outputs.logits[:1], outputs.mu[:1], outputs.log_variance[:1], outputs.attention[:1])
    found = loss(one, torch.zeros(1, 1, 32, 32), kl_weight=1, entropy_weight=1, erosion=6)
    assert torch.isfinite(found)
