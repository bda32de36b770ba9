"""What AMCons and GradCAMCons share, against SciPy, torch's distributions and values by hand."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.distributions import Normal, kl_divergence

from clisc_engine.baselines.vae.histograms import counts_of, matched, matching_table
from clisc_engine.baselines.vae.maths import divergence, enlarged, eroded


def test_divergence_is_zero_at_the_standard_normal_and_torchs_elsewhere():
    assert torch.equal(divergence(torch.zeros(2, 3), torch.zeros(2, 3)), torch.zeros(2, 3))
    generator = torch.Generator().manual_seed(0)
    mu, log_variance = (torch.randn(4, 5, generator=generator) for _ in range(2))
    oracle = kl_divergence(Normal(mu, (log_variance / 2).exp()), Normal(0.0, 1.0))
    assert torch.allclose(divergence(mu, log_variance), oracle, atol=1e-5)


@pytest.mark.parametrize("side", [1, 2, 3, 6])
def test_erosion_is_scipys(side):
    rng = np.random.default_rng(side)
    brains = ndimage.binary_opening(rng.random((4, 40, 40)) < 0.93, np.ones((1, 5, 5)))
    brains[0, :, :] = True
    oracle = np.stack([ndimage.binary_erosion(one, np.ones((side, side))) for one in brains])
    assert oracle.any() and not oracle.all()
    assert np.array_equal(eroded(torch.from_numpy(brains), side).numpy(), oracle) or side == 1
    if side == 1:
        assert np.array_equal(eroded(torch.from_numpy(brains), side).numpy(), brains)


def test_enlarging_keeps_the_corners():
    maps = torch.rand(2, 5, 5)
    larger = enlarged(maps, 17)
    for y in (0, -1):
        for x in (0, -1):
            assert torch.allclose(larger[:, y, x], maps[:, y, x])
    assert torch.allclose(larger[:, ::4, ::4], maps, atol=1e-6)


def slices_of(seed, low, high):
    rng = np.random.default_rng(seed)
    return np.where(rng.random((6, 30, 30)) < 0.3, 0, rng.integers(low, high, (6, 30, 30))).astype(np.uint8)


def test_grey_values_matched_to_themselves_stay():
    slices = slices_of(0, 1, 256)
    assert np.array_equal(matched(slices, counts_of(slices), "volume"), slices)


def test_matching_gives_the_references_distribution_and_keeps_order_and_background():
    dark, reference = slices_of(1, 1, 90), slices_of(2, 100, 220)
    found = matched(dark, counts_of(reference), "volume")
    assert np.array_equal(found == 0, dark == 0)
    for percentile in (5, 25, 50, 75, 95):
        expected = np.percentile(reference[reference > 0], percentile)
        assert np.percentile(found[found > 0], percentile) == pytest.approx(expected, abs=3)
    table = matching_table(counts_of(dark), counts_of(reference))
    assert (np.diff(table[1:].astype(int)) >= 0).all()


def test_matching_by_hand():
    own, reference = np.zeros(256, int), np.zeros(256, int)
    own[[10, 20]] = 1, 3
    reference[[100, 200]] = 1, 3
    table = matching_table(own, reference)
    assert table[[0, 10, 20]].tolist() == [0, 100, 200]


def test_a_volume_has_one_table_and_a_slice_its_own():
    slices = slices_of(3, 50, 60)
    slices[0][slices[0] > 0] += 100
    reference = counts_of(slices_of(4, 1, 256))
    by_volume, by_slice = (matched(slices, reference, by) for by in ("volume", "slice"))
    assert by_volume[0][slices[0] > 0].min() > by_volume[1].max(), "the bright slice stays the brightest"
    inside = [one[one > 0].mean() for one in by_slice]
    assert np.ptp(inside) < 10, "each slice has the reference's distribution"
    assert np.array_equal(matched(slices, reference, "none"), slices)


def test_nothing_to_match_changes_nothing():
    slices = slices_of(5, 1, 256)
    assert np.array_equal(matched(slices, np.zeros(256, int), "volume"), slices)
    empty = np.zeros_like(slices)
    assert np.array_equal(matched(empty, counts_of(slices), "slice"), empty)
