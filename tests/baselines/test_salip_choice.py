import itertools

import numpy as np
import pytest

from clisc_engine.baselines.salip.choice import best, crops, in_order, plausible
from clisc_engine.imaging.window import square

RULES = {"min_pixels": 4, "inside": 0.75, "max_area": 0.5}


def block(rows, columns, shape=(10, 12)):
    mask = np.zeros(shape, bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


BRAIN = block((0, 10), (0, 6))  # 60 pixels


@pytest.mark.parametrize(
    ("part", "kept"),
    [
        (block((0, 2), (0, 2)), True),  # 4 pixels: just enough
        (block((0, 1), (0, 3)), False),  # 3 pixels
        (block((0, 2), (3, 7)), True),  # 6 of 8 in the brain: just enough
        (block((0, 2), (4, 7)), False),  # 4 of 6
        (block((0, 5), (0, 6)), True),  # 30 of the brain's 60: just little enough
        (block((0, 6), (0, 6)), False),  # 36
        (np.zeros((10, 12), bool), False),
    ],
)
def test_a_part_is_judged_by_size_and_place(part, kept):
    assert plausible(part[None], BRAIN, **RULES).tolist() == [kept]


def test_no_parts_are_no_flags():
    assert plausible(np.zeros((0, 10, 12), bool), BRAIN, **RULES).shape == (0,)


def test_parts_come_in_the_same_order_however_they_are_found():
    parts = [block((0, 2), (0, 3)), block((1, 3), (0, 3)), block((0, 9), (0, 3)), block((0, 3), (4, 6))]
    expected = in_order(np.stack(parts))
    assert expected.sum(axis=(1, 2)).tolist() == [27, 6, 6, 6]
    for order in itertools.permutations(parts):
        np.testing.assert_array_equal(in_order(np.stack(order)), expected)


def test_clip_sees_a_part_alone_and_in_its_box():
    rng = np.random.default_rng(0)
    slice_ = rng.integers(1, 256, (10, 12)).astype(np.uint8)
    mask = block((2, 5), (3, 9))
    mask[2, 3] = False
    cut = slice_[2:5, 3:9].copy()
    cut[0, 0] = 0
    np.testing.assert_array_equal(crops(slice_, mask[None], 24)[0], square(cut[None], 24)[0])


def test_the_ranks_differ_where_a_part_looks_like_both_classes():
    cosines = np.array([[0.1, 0.2], [0.35, 0.4], [0.3, 0.3]], np.float32)
    assert best(cosines, "tumour") == 1
    assert best(cosines, "margin") == 0
