"""What of a volume is brain."""

import numpy as np
import pytest

from clisc_engine.core.brain import brain_of

EDGES = [0.0, -0.0, 6e-8, -6e-8, 6.1e-5, 1.0, -1.0, 65504.0]
"""Both zeros, the smallest numbers of half precision, and its largest."""


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16, np.uint8])
def test_all_that_is_not_zero_is_brain(dtype):
    values = (
        np.array(EDGES).astype(dtype) if np.issubdtype(dtype, np.floating) else np.arange(8, dtype=dtype)
    )
    volume = np.zeros((6, 8, 5), dtype)
    volume[2, :, 3] = values
    for view in (volume, volume[::-1, 1::2], volume.T):
        assert np.array_equal(brain_of(view), view != 0)
    assert brain_of(volume).any() and not brain_of(np.zeros_like(volume)).any()
