import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clisc_engine.core.prompts import roi_prompts


def region(y0, y1, x0, x1, shape=(40, 50)):
    roi = np.zeros(shape, bool)
    roi[y0:y1, x0:x1] = True
    return roi


SLICE = np.arange(2000, dtype=np.uint16).reshape(40, 50).astype(np.uint8)


def test_box_centre_and_corners_by_hand():
    (prompt,) = roi_prompts(region(10, 21, 20, 31), SLICE, dilation=2)
    assert prompt.box == (18, 8, 32, 22)
    assert prompt.points.tolist() == [[25, 15], [18, 8], [32, 8], [18, 22], [32, 22]]
    assert prompt.point_labels.tolist() == [1, 0, 0, 0, 0]


@given(st.integers(0, 100_000), st.sampled_from(["both", "box", "points"]))
def test_a_mirrored_prompt_is_that_of_the_mirrored_region(seed, kind):
    """Up to the order of the background corners, and half a pixel where the centre lies between two."""
    rng = np.random.default_rng(seed)
    top, left = rng.integers(0, 30), rng.integers(0, 40)
    roi = region(top, top + rng.integers(1, 10), left, left + rng.integers(1, 10))
    (prompt,), (other,) = roi_prompts(roi, SLICE, kind=kind), roi_prompts(roi[:, ::-1], SLICE, kind=kind)
    mirrored = prompt.mirrored(50)
    assert mirrored.box == other.box
    assert sorted(mirrored.points[1:].tolist()) == sorted(other.points[1:].tolist())
    assert np.abs(mirrored.points[:1] - other.points[:1]).max(initial=0) <= 1
    again = mirrored.mirrored(50)
    assert again.box == prompt.box and np.array_equal(again.points, prompt.points)
    assert np.array_equal(mirrored.point_labels, prompt.point_labels)


def test_dilation_stops_at_the_border():
    (prompt,) = roi_prompts(region(0, 5, 45, 50), SLICE, dilation=10)
    assert prompt.box == (35, 0, 49, 14)


def test_kinds():
    roi = region(10, 20, 20, 30)
    (box,) = roi_prompts(roi, SLICE, kind="box")
    (points,) = roi_prompts(roi, SLICE, kind="points")
    assert box.box is not None and len(box.points) == 0
    assert points.box is None and len(points.points) == 5


def test_bright_points_lie_in_the_brighter_half_of_the_region():
    roi, slice_ = region(5, 25, 5, 25), np.zeros((40, 50), np.uint8)
    slice_[5:25, 15:25] = 200
    (prompt,) = roi_prompts(roi, slice_, foreground="bright5", rng=np.random.default_rng(3))
    inside = prompt.points[prompt.point_labels == 1].astype(int)
    assert len(inside) == 5 and len({tuple(p) for p in inside}) == 5
    assert all(slice_[y, x] == 200 and roi[y, x] for x, y in inside)


def test_a_region_of_few_pixels_gives_them_all():
    (prompt,) = roi_prompts(region(3, 4, 3, 5), np.full((40, 50), 9, np.uint8), foreground="bright5")
    assert sorted(map(tuple, prompt.points[prompt.point_labels == 1])) == [(3, 3), (4, 3)]


def test_each_component_may_be_prompted_largest_first():
    roi = region(2, 6, 2, 6) | region(20, 35, 20, 40)
    prompts = roi_prompts(roi, SLICE, dilation=0, per_component=True)
    assert [p.box for p in prompts] == [(20, 20, 39, 34), (2, 2, 5, 5)]
    assert [p.box for p in roi_prompts(roi, SLICE, dilation=0)] == [(2, 2, 39, 34)]


def test_an_empty_region_gives_no_prompt():
    assert roi_prompts(np.zeros((4, 4), bool), np.zeros((4, 4), np.uint8)) == []


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 100_000), st.integers(0, 12), st.sampled_from(["center", "bright5"]))
def test_the_box_holds_the_region_and_stays_in_the_slice(seed, dilation, foreground):
    rng = np.random.default_rng(seed)
    roi = rng.random((17, 23)) > rng.uniform(0.7, 0.999)
    for prompt in roi_prompts(roi, np.zeros((17, 23), np.uint8), dilation=dilation, foreground=foreground):
        x0, y0, x1, y1 = prompt.box
        assert 0 <= x0 <= x1 <= 22 and 0 <= y0 <= y1 <= 16
        rows, columns = np.nonzero(roi)
        assert x0 <= columns.min() and columns.max() <= x1 and y0 <= rows.min() and rows.max() <= y1
        assert prompt.points.dtype == np.float32


def test_the_same_generator_draws_the_same_points():
    roi = region(5, 25, 5, 25)
    first, second = (
        roi_prompts(roi, SLICE, foreground="bright5", rng=np.random.default_rng(7))[0] for _ in range(2)
    )
    assert first.points.tolist() == second.points.tolist()
