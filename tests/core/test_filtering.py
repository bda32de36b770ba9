"""S3F by hand-worked cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clisc_engine.core.filtering import percentile, s3f_keep, s3f_similarity
from clisc_engine.core.overlap import dice

EMPTY = np.zeros((2, 3, 3), np.uint8)
SQUARE = np.pad(np.ones((1, 2, 2), np.uint8), ((0, 1), (0, 1), (0, 1)))
ROW = np.pad(np.ones((1, 1, 2), np.uint8), ((0, 1), (0, 2), (0, 1)))


@pytest.mark.parametrize("ill", [True, False])
def test_masks_that_are_not_empty_are_compared_by_their_dice(ill):
    assert s3f_similarity(SQUARE, ROW, ill=ill) == pytest.approx(2 * 2 / (4 + 2))
    assert s3f_similarity(SQUARE, SQUARE, ill=ill) == 1
    assert s3f_similarity(SQUARE, EMPTY, ill=ill) == s3f_similarity(EMPTY, SQUARE, ill=ill) == 0


def test_two_empty_masks_agree_only_where_clip_sees_no_tumour_either():
    assert dice(EMPTY, EMPTY) == 1
    assert s3f_similarity(EMPTY, EMPTY, ill=False) == 1
    assert s3f_similarity(EMPTY, EMPTY, ill=True) == 0


@pytest.mark.parametrize(
    ("scores", "p", "kept"),
    [
        ({"a": 0.0, "b": 0.5, "c": 0.9}, 20, "bc"),
        ({"a": 0.0, "b": 0.0, "c": 0.0, "d": 0.2, "e": 0.9}, 20, "de"),
        ({"a": 0.0, "b": 0.0, "c": 0.3}, 0, "abc"),
        ({"a": 0.0, "b": 0.0}, 20, "ab"),
        ({"a": 0.4, "b": 0.5, "c": 0.6, "d": 0.7, "e": 0.8}, 20, "bcde"),
        ({}, 20, ""),
    ],
    ids=["one at 0", "the percentile is 0", "p = 0 keeps all", "nothing better", "as the paper", "none"],
)
def test_who_scores_0_goes_as_long_as_another_is_better(scores, p, kept):
    assert s3f_keep(scores, p) == set(kept)


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0, 100, exclude_max=True) | st.just(20.0)
)
def test_the_percentile_is_numpy_s_to_the_bit(values, p):
    assert percentile(values, p) == np.percentile(values, p)
