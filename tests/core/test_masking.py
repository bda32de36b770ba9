"""What takes the place of a masked region."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clisc_engine.core.masking import from_around

SHAPE = (60, 50)
SIGMA = (6.0, 6.0)
INSIDE = np.zeros(SHAPE, bool)
INSIDE[4:56, 4:46] = True
HOLE = np.zeros(SHAPE, bool)
HOLE[20:36, 16:34] = True


def test_a_lesion_on_an_even_brain_vanishes():
    even = np.where(INSIDE, 90, 0).astype(np.uint8)
    assert (from_around(np.where(HOLE, 240, even), HOLE, INSIDE, SIGMA)[HOLE] == 90).all()


def test_it_follows_the_brain_around_it():
    """Dark to the left, bright to the right: so is what fills the hole, between the two, without a step."""
    slope = np.where(INSIDE, np.linspace(40, 200, SHAPE[1])[None], 0).astype(np.uint8)
    filled = from_around(slope, HOLE, INSIDE, SIGMA).astype(int)
    row = filled[28, 16:34]
    assert (np.diff(row) >= 0).all() and row[-1] - row[0] > 40 and np.diff(row).max() < 12
    assert abs(filled[HOLE].mean() - slope[HOLE].mean()) < 5


@settings(max_examples=30)
@given(st.integers(0, 100_000), st.floats(0.5, 20))
def test_what_is_covered_has_no_part_in_it_and_nothing_exceeds_the_brain(seed, sigma):
    rng = np.random.default_rng(seed)
    slice_ = np.where(INSIDE, rng.integers(30, 200, SHAPE), 0).astype(np.uint8)
    other = np.where(HOLE, rng.integers(0, 256, SHAPE), slice_).astype(np.uint8)
    filled = from_around(slice_, HOLE, INSIDE, (sigma, sigma))
    assert np.array_equal(filled, from_around(other, HOLE, INSIDE, (sigma, sigma)))
    known = slice_[INSIDE & ~HOLE]
    assert filled[HOLE].max() <= known.max()
    if sigma >= 2:
        assert filled[HOLE].min() >= known.min()


@pytest.mark.parametrize("brain", [HOLE, np.zeros(SHAPE, bool)])
def test_without_brain_around_it_it_is_black(brain):
    assert not from_around(np.full(SHAPE, 200, np.uint8), HOLE, brain, SIGMA).any()
