"""Where a mask ends: balls of known brightness in a plain brain, blurred and noisy as scans are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from clisc_engine.core.border import by_brightness, tumour_mask
from clisc_engine.core.overlap import dice

ONE = (1.0, 1.0, 1.0)
BRAIN, LESION = 1.0, 3.0


def ball(radius, *, at=(20, 20, 20), shape=(40, 40, 40), spacing=ONE):
    grid = np.indices(shape)
    away = sum(((g - c) * s) ** 2 for g, c, s in zip(grid, at, spacing, strict=True))
    return away <= radius**2


def scan(*lesions, seed=0, noise=0.1):
    """The brain with lesions, each a mask and its brightness."""
    image = np.full((40, 40, 40), BRAIN)
    for lesion, brightness in lesions:
        image[lesion] = brightness
    blurred = ndimage.gaussian_filter(image, 1.0)
    return (blurred + np.random.default_rng(seed).normal(0, noise, image.shape)).astype(np.float32)


@given(
    radius=st.floats(8, 12),
    grown=st.floats(-3, 3),
    shift=st.tuples(*[st.integers(-1, 1)] * 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_a_mask_that_is_off_by_less_than_the_width_lands_on_the_lesion(radius, grown, shift, seed):
    lesion = ball(radius)
    mask = ball(radius + grown, at=tuple(20 + s for s in shift))
    found = by_brightness(mask, scan((lesion, LESION), seed=seed), ONE, 5.0)
    assert dice(found, lesion) >= max(0.87, dice(mask, lesion) - 0.02)


@given(seed=st.integers(0, 999), width=st.sampled_from([1.0, 2.5, 4.0]))
@settings(max_examples=25, deadline=None)
def test_no_voxel_farther_than_the_width_changes_sides_and_none_leaves_the_brain(seed, width):
    rng = np.random.default_rng(seed)
    spacing = (2.5, 1.0, 0.7)
    mask = ndimage.gaussian_filter(rng.random((12, 24, 24)), 3) > 0.5
    image = rng.random(mask.shape) + mask
    image[:, :4] = 0
    found = by_brightness(mask, image, spacing, width)
    inside, outside = (ndimage.distance_transform_edt(part, sampling=spacing) for part in (mask, ~mask))
    brain = image != 0
    assert not (found & ~brain).any()
    assert found[brain & mask & (inside > width + 1e-6)].all()
    assert not found[~mask & (outside > width + 1e-6)].any()


def test_a_dark_core_stays_marked():
    lesion, core = ball(12), ball(6)
    found = by_brightness(lesion, scan((lesion, LESION), (core, 0.5)), ONE, 4.0)
    assert found[core].all() and dice(found, lesion) > 0.95


def test_a_faint_lesion_does_not_suffer_from_a_bright_one():
    bright, faint = ball(6, at=(12, 12, 12)), ball(6, at=(28, 28, 28))
    found = by_brightness(bright | faint, scan((bright, 9.0), (faint, 2.0)), ONE, 4.0)
    assert dice(found & ball(10, at=(28, 28, 28)), faint) > 0.93


def test_thick_slices_are_reached_in_millimetres():
    spacing = (6.0, 1.0, 1.0)
    image = np.full((5, 30, 30), BRAIN)
    image[1:4, 8:22, 8:22] = LESION
    mask = np.zeros(image.shape, bool)
    mask[2, 9:21, 9:21] = True
    found = by_brightness(mask, image, spacing, 4.0)
    assert found[2, 9:21, 9:21].all() and found[2, 8, 9:21].all() and not found[[0, 1, 3, 4]].any()
    assert by_brightness(mask, image, (3.0, 1.0, 1.0), 4.0)[[1, 3], 10:20, 10:20].all()


def test_only_the_order_of_brightness_counts_not_its_scale():
    mask, image = ball(10), scan((ball(8), LESION))
    found = by_brightness(mask, image, ONE, 4.0)
    assert np.array_equal(found, by_brightness(mask, 50 * image + 700, ONE, 4.0))
    assert not np.array_equal(found, mask)


@pytest.mark.parametrize("case", ["darker than the brain", "nothing marked", "all marked", "no width"])
def test_what_cannot_be_judged_stays_as_it_is(case):
    mask, image = ball(8), scan((ball(6), 0.5 if case == "darker than the brain" else LESION))
    if case == "nothing marked":
        mask = np.zeros_like(mask)
    if case == "all marked":
        mask = np.ones_like(mask)
    width = 0.0 if case == "no width" else 4.0
    assert np.array_equal(by_brightness(mask, image, ONE, width), mask)


def test_a_lesion_of_one_voxel_is_judged_by_itself():
    image, mask = np.full((9, 9, 9), BRAIN), np.zeros((9, 9, 9), bool)
    image[3:6, 3:6, 3:6], mask[4, 4, 4] = LESION, True
    assert dice(by_brightness(mask, image, ONE, 4.0), image == LESION) > 0.8


def test_what_is_cut_off_by_the_border_is_no_part_of_the_largest_component():
    lesion, speck = ball(9, at=(18, 18, 18)), ball(3, at=(34, 34, 34))
    image = scan((lesion, LESION), (speck, LESION))
    probability = (lesion | speck).astype(np.float32)
    for alone in (True, False):
        found = tumour_mask(probability, image, ONE, border=4.0, largest_alone=alone, rival_share=1.0) != 0
        assert found[34, 34, 34] != alone and dice(found[:30, :30, :30], lesion[:30, :30, :30]) > 0.95


def test_what_a_network_hesitates_about_gives_way_to_the_lesion():
    lesion, shading = ball(6, at=(18, 18, 8)), ball(8, at=(18, 18, 29))
    image = scan((lesion, LESION), (shading, LESION))
    probability = lesion + 0.7 * shading
    wanted = {1.0: shading, 1 / 3: lesion}
    for share, one in wanted.items():
        found = tumour_mask(probability, image, ONE, border=4.0, largest_alone=True, rival_share=share) != 0
        assert dice(found, one) > 0.95
    both = tumour_mask(probability, image, ONE, border=4.0, largest_alone=False, rival_share=1 / 3) != 0
    assert dice(both, lesion | shading) > 0.95
