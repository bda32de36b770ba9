"""Gaussian sums over a part, against SciPy's filter of the same width."""

import numpy as np
import pytest
from scipy import ndimage

from clisc_engine.core.averaging import averaged_within, gaussian_sums


@pytest.mark.parametrize("mode", ["constant", "reflect"])
@pytest.mark.parametrize(
    ("shape", "sigma"),
    [((40, 31), (0.7, 12.0)), ((9, 20, 14), (0.0, 1.5, 3.0)), ((1, 8), (5.0, 2.0)), ((5,), (100.0,))],
)
def test_values_and_weights_are_summed_as_scipy_does(shape, sigma, mode):
    rng = np.random.default_rng(0)
    values, where = rng.normal(100, 30, shape), rng.random(shape) < 0.6
    sums = gaussian_sums(values, where, sigma, mode=mode)
    for found, part in zip(sums, (values * where, where), strict=True):
        wanted = ndimage.gaussian_filter(part.astype(np.float64), sigma, mode=mode)
        assert found.dtype == np.float32 and found.shape == shape
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-4)


def test_an_even_part_stays_even_to_its_border():
    where = np.zeros((6, 12, 12), bool)
    where[1:5, 2:9, 3:12] = True
    values = np.where(where, 7.0, 1000.0)
    found = averaged_within(values, where, (1.0, 3.0, 2.0))
    np.testing.assert_allclose(found, np.where(where, 7.0, 0.0), rtol=1e-5)
