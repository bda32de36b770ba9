"""GradCAMCons's barrier and maps, by the values of its formulas."""

import math
from dataclasses import replace

import pytest
import torch

from clisc_engine.baselines.amcons.entropy import mean_activation
from clisc_engine.baselines.gradcamcons.attention import (
    brain_scaled,
    gradient_map,
    raw,
    rows_scaled,
    scaled,
)
from clisc_engine.baselines.gradcamcons.barrier import log_barrier, loss, uncovered
from clisc_engine.baselines.gradcamcons.versions import PUBLISHED, version_of
from clisc_engine.baselines.vae.network import Outputs
from clisc_engine.settings.baselines.gradcamcons import GradcamconsSettings

EVERYWHERE = torch.ones(1, 8, 8, dtype=torch.bool)


def at(z, t=10.0):
    z = torch.tensor(z, dtype=torch.float64, requires_grad=True)
    value = log_barrier(z, t)
    value.backward()
    return value.item(), z.grad.item()


def test_the_barrier_has_its_known_values():
    assert at(-1.0)[0] == pytest.approx(0)
    assert at(0.0)[0] == pytest.approx(0.56052, abs=1e-5)
    for side in (-1e-9, 0.0, 1e-9):
        value, slope = at(-0.01 + side)
        assert value == pytest.approx(0.46052, abs=1e-5) and slope == pytest.approx(10, abs=1e-5)


def test_the_barrier_falls_as_more_is_covered():
    values = log_barrier(torch.linspace(-1, 1, 401, dtype=torch.float64), 20.0)
    assert (values.diff() > 0).all()


def test_the_share_that_is_left_out():
    assert uncovered(torch.ones(1, 8, 8), EVERYWHERE).item() == 0
    half = torch.zeros(1, 8, 8)
    half[:, :4] = 1
    assert uncovered(half, EVERYWHERE).item() == pytest.approx(0.5)
    assert uncovered(half, half > 0).item() == 0
    assert torch.isfinite(uncovered(half, torch.zeros(1, 8, 8, dtype=torch.bool))).all()


def test_full_attention_satisfies_the_constraint_and_half_of_it_misses_by_a_half():
    slices = torch.full((1, 1, 8, 8), 0.5)
    lit = torch.full((1, 4, 4), 1e3)
    half = torch.full((1, 4, 4), 1e3)
    half[:, :, ::2] = -1e3
    version = replace(PUBLISHED["activation"], uncovered=0.2, sharpness=10.0, weight=1.0)

    def constraint(attention, constrained=True):
        outputs = Outputs(torch.zeros(1, 1, 8, 8), torch.zeros(1, 2), torch.zeros(1, 2), attention)
        return loss(
            outputs, slices, version, kl_weight=1, constrain="slice", constrained=constrained
        ).item()

    without = constraint(lit, constrained=False)
    assert constraint(lit) - without == pytest.approx(-math.log(0.2) / 10, abs=1e-4)
    expected = log_barrier(torch.tensor(0.5 - 0.2), 10.0).item()
    assert constraint(half) - without == pytest.approx(expected, abs=1e-4)


def test_only_the_brain_is_averaged_where_the_settings_say_so():
    slices = torch.zeros(1, 1, 8, 8)
    slices[..., :4] = 0.5
    attention = torch.full((1, 8, 8), -1e3)
    attention[..., :4] = 1e3
    outputs = Outputs(torch.zeros(1, 1, 8, 8), torch.zeros(1, 2), torch.zeros(1, 2), attention)
    version = PUBLISHED["gradient"]
    options = {"kl_weight": 1, "constrained": True}
    brain = loss(outputs, slices, version, constrain="brain", **options)
    whole = loss(outputs, slices, version, constrain="slice", **options)
    difference = 10 * (at(0.5 - 0.2, 20.0)[0] - at(-0.2, 20.0)[0])
    assert (whole - brain).item() == pytest.approx(difference, rel=1e-4)


def test_each_version_keeps_its_own_scale():
    generator = torch.Generator().manual_seed(0)
    logits, mu, log_variance = (
        torch.randn(shape, generator=generator) for shape in [(2, 1, 8, 8), (2, 4), (2, 4)]
    )
    outputs = Outputs(logits, mu, log_variance, torch.zeros(2, 4, 4))
    slices = torch.rand(2, 1, 8, 8, generator=generator)
    p = torch.sigmoid(logits)
    bce = -(slices * p.log() + (1 - slices) * (1 - p).log())
    kl = -0.5 * (1 + log_variance - mu**2 - log_variance.exp())
    options = {"kl_weight": 3, "constrain": "slice", "constrained": False}
    bmvc = loss(outputs, slices, PUBLISHED["gradient"], **options)
    media = loss(outputs, slices, PUBLISHED["activation"], **options)
    assert bmvc.item() == pytest.approx((bce.mean() + 3 * kl.mean()).item(), rel=1e-5)
    assert media.item() == pytest.approx(((bce.sum() + 3 * kl.sum()) / 2).item(), rel=1e-5)


def test_the_settings_choose_a_version_and_may_change_its_numbers():
    assert version_of(GradcamconsSettings()) == PUBLISHED["activation"], "the version that the paper cites"
    assert version_of(GradcamconsSettings(weighting="gradient")) == PUBLISHED["gradient"]
    changed = version_of(GradcamconsSettings(uncovered=0.4, batch_size=3, warm_up_epochs=7))
    assert changed == replace(PUBLISHED["activation"], uncovered=0.4, batch_size=3, warm_up_epochs=7)
    assert PUBLISHED["gradient"].warm_up(4000) == 4, "400 steps of 32 are 3.2 epochs of 125; and one"
    assert PUBLISHED["activation"].warm_up(4000) == 51


def test_grad_cam_of_pooled_features_has_their_weights():
    """With mu = sum_k w_k mean_xy(f_k), alpha_k = w_k / (H W)."""
    features = torch.rand(3, 4, 5, 6, dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([0.5, -2.0, 0.0, 3.0], dtype=torch.float64)
    mu = (weights * features.mean(dim=(2, 3))).sum(1, keepdim=True)
    expected = (weights[:, None, None] / 30 * features).sum(1)
    found = gradient_map(features, mu, False)
    assert torch.allclose(found, expected) and (found < 0).any(), "it is not rectified"


def test_grad_cam_can_be_derived_again():
    features = torch.rand(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda f: gradient_map(f, (f**3).mean(dim=(2, 3)), True), (features,), atol=1e-6
    )


def test_equal_weights_make_grad_cam_the_mean_activation_up_to_scale():
    features = torch.rand(2, 4, 5, 6, requires_grad=True)
    by_gradient = gradient_map(features, 7 * features.mean(dim=(1, 2, 3))[:, None], False)
    by_activation = mean_activation(features, torch.zeros(2, 1), False)
    ratio = by_gradient / by_activation
    assert torch.allclose(ratio, torch.full_like(ratio, 7 / 30))


def test_the_raw_map_keeps_the_order_and_is_positive():
    maps = torch.linspace(-30, 30, 64).reshape(1, 8, 8)
    found = raw(maps, "gradient", 8).flatten()
    assert (found >= 0).all() and (found.diff() > 0).all()
    assert torch.allclose(found, -torch.log1p(-torch.sigmoid(maps.double())).float().flatten(), rtol=1e-3)
    assert torch.equal(raw(maps, "activation", 8), maps)


def test_published_normalisations_by_hand():
    maps = torch.tensor([[[1.0, 5.0], [3.0, 2.0]]])
    brain = torch.tensor([[[False, True], [True, True]]])
    assert brain_scaled(maps, brain).tolist() == [[[0, 1], [pytest.approx(1 / 3), 0]]]
    low = 3 + 0.001
    assert rows_scaled(maps)[0, 0, 1].item() == pytest.approx((5 - low) / (5 - low + 0.001))
    assert rows_scaled(maps)[0].flatten().tolist()[0::2] == [0, 0]


@pytest.mark.parametrize("weighting", ["gradient", "activation"])
def test_a_published_map_reaches_one_in_every_slice_and_a_flat_one_stays_zero(weighting):
    generator = torch.Generator().manual_seed(2)
    maps = torch.rand(4, 8, 8, generator=generator) * torch.tensor([1.0, 10.0, 100.0, 0.0])[:, None, None]
    found = scaled(maps, EVERYWHERE.expand(4, 8, 8), weighting)
    peaks = found.amax(dim=(1, 2))
    assert torch.allclose(peaks[:3], torch.ones(3), atol=0.02) and peaks[3] == 0
    assert found.min() >= 0 and torch.isfinite(found).all()
    nothing = scaled(maps, torch.zeros(4, 8, 8, dtype=torch.bool), weighting)
    assert torch.isfinite(nothing).all()
