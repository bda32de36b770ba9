"""The best pooled F1 against trying every threshold, and against a case worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clisc_engine.core.best_f1 import best_f1


def f1(values, inside, threshold):
    marked = values > threshold
    wrong = (marked != inside).sum()
    true = (marked & inside).sum()
    return 2 * true / (2 * true + wrong)


def brute(values, inside):
    """The highest of the best thresholds and its F1."""
    tried = [(f1(values, inside, float(t)), float(t)) for t in (-np.inf, *values)]
    return max(tried)


def test_a_case_worked_by_hand():
    # over 2: marks 5, 4, 3, of which 5 and 3 are inside: F1 = 2*2 / (3 + 3) = 2/3
    # over 0.5: also 2 (inside): 2*3 / (4 + 3) = 6/7, the best; over -1 further 0.5 and all: 2*3/(5+3)
    values = np.array([5, 4, 3, 2, 0.5, -1], np.float16)
    inside = np.array([1, 0, 1, 1, 0, 0], bool)
    found = best_f1([(values, inside)])
    assert found.threshold == 0.5 and found.f1 == pytest.approx(6 / 7)


def test_where_only_the_lowest_value_is_inside_everything_is_marked():
    found = best_f1([(np.array([1, 0], np.float16), np.array([False, True]))])
    assert found.threshold == -np.inf and found.f1 == pytest.approx(2 / 3)


def test_without_a_voxel_inside_no_threshold_is_best():
    assert best_f1([]) is None
    assert best_f1([(np.ones(4, np.float16), np.zeros(4, bool))]) is None


voxels = st.lists(
    st.tuples(
        st.one_of(
            st.floats(width=16, allow_nan=False, allow_infinity=False),
            st.sampled_from([-2.0, -0.0, 0.0, 0.25, 1.0]),
        ),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


@given(st.lists(voxels, min_size=1, max_size=4))
def test_no_threshold_does_better_and_cases_are_pooled(cases):
    arrays = [(np.array([v for v, _ in c], np.float16), np.array([i for _, i in c], bool)) for c in cases]
    values, inside = (np.concatenate(parts) for parts in zip(*arrays, strict=True))
    found = best_f1(arrays)
    if not inside.any():
        assert found is None
        return
    score, threshold = brute(values, inside)
    assert found.f1 == pytest.approx(score, abs=1e-12)
    assert f1(values, inside, found.threshold) == pytest.approx(score, abs=1e-12)
    assert found.threshold == threshold


def test_a_volume_of_many_values_in_three_axes():
    generator = np.random.default_rng(7)
    inside = generator.random((9, 20, 21)) < 0.2
    values = (generator.normal(size=inside.shape) + 1.5 * inside).astype(np.float16)
    found = best_f1([(values, inside)])
    score, threshold = brute(values.ravel(), inside.ravel())
    assert (found.f1, found.threshold) == (pytest.approx(score), threshold)
