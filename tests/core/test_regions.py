import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from clisc_engine.core.filtering import s3f_keep
from clisc_engine.core.masking import discriminative_region, mask_out, random_region
from clisc_engine.core.overlap import dice
from clisc_engine.core.roi import (
    averaged_through,
    cam_roi,
    joined,
    large_components,
    largest_component,
    opening_shape,
    otsu_threshold,
    surest_component,
)
from clisc_engine.settings.schema import RoiSettings
from clisc_engine.stages.prompting.regions import region_of_interest


def brute_otsu(values):
    """Best split of the histogram by the definition: least variance within the two classes."""
    counts, edges = np.histogram(values, 256, (0, 1))
    centres = (edges[:-1] + edges[1:]) / 2
    data = np.repeat(centres, counts)
    costs = [
        low.var() * len(low) + high.var() * len(high)
        for edge in edges[1:-1]
        if len(low := data[data < edge]) and len(high := data[data >= edge])
    ]
    return min(costs)


@pytest.mark.parametrize("seed", range(5))
def test_otsu_minimises_the_variance_within_classes(seed):
    rng = np.random.default_rng(seed)
    values = np.clip(np.concatenate([rng.normal(0.2, 0.08, 900), rng.normal(0.7, 0.1, 150)]), 0, 1)
    threshold = otsu_threshold(values)
    counts, edges = np.histogram(values, 256, (0, 1))
    data = np.repeat((edges[:-1] + edges[1:]) / 2, counts)
    low, high = data[data < threshold], data[data >= threshold]
    assert low.var() * len(low) + high.var() * len(high) == pytest.approx(brute_otsu(values))


def test_otsu_of_one_value_keeps_it_out_of_the_upper_class():
    assert not (np.full(10, 0.3) > otsu_threshold(np.full(10, 0.3))).any()


@given(seed=st.integers(0, 1000), sigma=st.sampled_from([0.5, 1.0, 2.5]))
@settings(max_examples=30, deadline=None)
def test_maps_are_averaged_over_the_brain_of_their_column_alone(seed, sigma):
    rng = np.random.default_rng(seed)
    cam, brain = rng.random((9, 4, 3), np.float32), rng.random((9, 4, 3)) > 0.3
    found = averaged_through(cam, brain, sigma)
    z = np.arange(9)
    weights = np.exp(-0.5 * (np.subtract.outer(z, z) / sigma) ** 2)
    for y, x in np.ndindex(4, 3):
        inside = brain[:, y, x]
        for slice_ in z[inside]:
            mean = np.average(cam[inside, y, x], weights=weights[slice_, inside])
            assert found[slice_, y, x] == pytest.approx(mean, abs=2e-3)
    assert not found[~brain].any()


def test_averaging_by_nothing_leaves_maps_as_they_are_and_a_constant_one_stays_constant_to_the_last_slice():
    brain = np.zeros((12, 5, 5), bool)
    brain[3:9, 1:4, 1:4] = True
    cam = np.random.default_rng(0).random((12, 5, 5))
    assert averaged_through(cam, brain, 0) is cam
    assert averaged_through(np.full((12, 5, 5), 0.7), brain, 2.0)[brain] == pytest.approx(0.7, abs=1e-6)


def test_a_slice_whose_map_looked_elsewhere_is_mended_by_those_around_it():
    brain = np.ones((20, 24, 24), bool)
    cam = np.zeros((20, 24, 24), np.uint8)
    cam[6:14, 4:12, 4:12] = 255
    cam[10] = 0
    cam[10, 18:20, 18:20] = 255
    millimetres = (2.0, 1.0, 1.0)
    assert not region_of_interest(cam, brain, millimetres, RoiSettings())[10].any()
    mended = region_of_interest(cam, brain, millimetres, RoiSettings(smoothing=4))
    assert mended[10, 5:11, 5:11].all() and not mended[10, 16:, 16:].any()


def test_roi_drops_specks_and_small_components():
    cam = np.zeros((12, 30, 30), np.float32)
    cam[2:10, 4:14, 4:14] = 0.9
    cam[2:8, 20:26, 20:26] = 0.8  # 216 of 800 voxels: under a third
    cam[5, 28, 28] = 1.0  # removed by the opening
    roi = cam_roi(cam, 0.5)
    assert roi.sum() == 800 and roi[2:10, 4:14, 4:14].all()
    assert cam_roi(cam, 0.5, keep=0.2).sum() == 800 + 216
    assert cam_roi(cam, 0.5, opening=None, keep=0.0).sum() == 800 + 216 + 1


def test_thick_slices_are_opened_in_plane_only():
    assert opening_shape((100, 200, 200), (1.0, 1.0, 1.0)) == (3, 3, 3)
    assert opening_shape((26, 200, 200), (5.5, 0.9, 0.9)) == (1, 3, 3)
    cam = np.zeros((9, 20, 20))
    cam[4, 5:12, 5:12] = 1  # one thick slice
    assert cam_roi(cam, 0.5, opening=opening_shape(cam.shape, (5.5, 0.9, 0.9))).sum() == 49


def test_largest_component_joins_diagonal_neighbours():
    mask = np.zeros((4, 6, 6), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[2, 2, 2] = True
    mask[0, 5, 5] = mask[0, 5, 4] = True
    assert largest_component(mask).sum() == 3


def hesitant_and_sure():
    """A component of 64 voxels at 0.6 on average, one of 27 at 0.9, one of 8 at 1."""
    mask, probability = np.zeros((6, 20, 20), bool), np.zeros((6, 20, 20))
    hesitant, sure, small = np.zeros((3, *mask.shape), bool)
    hesitant[1:5, 1:5, 1:5], sure[1:4, 8:11, 8:11], small[1:3, 15:17, 15:17] = True, True, True
    for part, value in ((hesitant, 0.6), (sure, 0.9), (small, 1.0)):
        mask |= part
        probability[part] = value
    probability[1, 1:5, 1:5] = 0.95  # sure in a quarter of it: 0.69 on average
    return mask, probability, hesitant, sure, small


@pytest.mark.parametrize(("share", "kept"), [(0.43, 0), (0.42, 1), (1 / 3, 1), (0.125, 2), (1.0, 0)])
def test_the_surest_component_is_one_of_those_large_enough(share, kept):
    mask, probability, *parts = hesitant_and_sure()
    assert np.array_equal(surest_component(mask, probability, share), parts[kept])


def test_what_brightness_has_joined_makes_no_component_less_sure():
    """A quarter of it is the network's own, at 0.95; the other component is at 0.9."""
    mask, probability, hesitant, *_ = hesitant_and_sure()
    probability[hesitant] = np.where(probability[hesitant] > 0.9, 0.95, 0.2)
    assert np.array_equal(surest_component(mask, probability, 1 / 3), hesitant)


def test_the_surest_component_of_one_or_none_is_the_mask():
    mask, probability, hesitant, *_ = hesitant_and_sure()
    assert np.array_equal(surest_component(hesitant, probability, 0.1), hesitant)
    assert not surest_component(np.zeros_like(mask), probability, 0.1).any()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 1))
def test_the_surest_component_is_the_same_from_any_side(seed, share):
    """Mirroring a volume, or turning its axes, changes no choice unless two are as good."""
    rng = np.random.default_rng(seed)
    probability = ndimage.gaussian_filter(rng.random((8, 9, 10)), 1.0)
    mask = probability > np.quantile(probability, 0.75)
    found = surest_component(mask, probability, share)
    assert found[mask].any() and not found[~mask].any()
    turned = surest_component(mask[::-1].transpose(2, 0, 1), probability[::-1].transpose(2, 0, 1), share)
    assert np.array_equal(turned.transpose(1, 2, 0)[::-1], found)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(1, 60))
def test_discriminative_region_is_the_top_t_percent_of_the_brain(seed, t):
    rng = np.random.default_rng(seed)
    cam, brain = rng.random((20, 25)), rng.random((20, 25)) > 0.3
    region = discriminative_region(cam, brain, t)
    assert not (region & ~brain).any()
    assert region.sum() == pytest.approx(brain.sum() * t / 100, abs=1.5)
    assert cam[region].min(initial=1) >= cam[brain & ~region].max(initial=0)


def test_discriminative_region_never_takes_what_the_map_leaves_at_zero():
    cam, brain = np.zeros((10, 10)), np.ones((10, 10), bool)
    cam[2, 3] = 0.5
    region = discriminative_region(cam, brain, 20)
    assert region.sum() == 1 and region[2, 3]
    assert not discriminative_region(cam, brain, 0).any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 500))
def test_random_region_has_the_asked_area_inside_the_brain(seed, area):
    brain = np.hypot(*np.mgrid[-15:15, -15:15]) < 12
    region = random_region(brain, area, np.random.default_rng(seed))
    assert region.sum() == min(area, brain.sum()) and not (region & ~brain).any()


def test_masking_leaves_the_original_alone():
    slice_ = np.full((3, 3), 7, np.uint8)
    region = np.eye(3, dtype=bool)
    assert mask_out(slice_, region).tolist() == [[0, 7, 7], [7, 0, 7], [7, 7, 0]]
    assert (slice_ == 7).all()


def test_dice_by_hand():
    a, b = np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0])
    assert dice(a, b) == 0.5 and dice(a, a) == 1 and dice(a * 0, b * 0) == 1


def test_s3f_drops_the_least_similar_volumes():
    scores = {f"case-{i}": i / 10 for i in range(10)}
    assert s3f_keep(scores, 20) == {f"case-{i}" for i in range(2, 10)}
    assert s3f_keep(scores, 0) == set(scores)
    assert s3f_keep(scores, 99.9) == {"case-9"}


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(max_size=4), st.floats(0, 1), min_size=1), st.floats(0, 99))
@example({"a": 0.0, "b": 0.0, "c": 1.0}, 1.0)
def test_s3f_keeps_the_best_and_nothing_worse_than_what_it_drops(scores, p):
    kept = s3f_keep(scores, p)
    dropped = set(scores) - kept
    assert kept and all(scores[k] >= scores[d] for k in kept for d in dropped)
    of_nothing = sum(score == 0 for score in scores.values())  # these go however many they are
    assert len(dropped) <= max(np.ceil(len(scores) * p / 100), of_nothing)


@given(
    seed=st.integers(0, 9999),
    shape=st.tuples(st.integers(3, 40), st.integers(3, 40)),
    share=st.floats(0, 1),
)
@settings(max_examples=50, deadline=None)
def test_a_random_region_is_where_scipys_smoothed_noise_is_highest(seed, shape, share):
    brain = np.random.default_rng(seed).random(shape) > 0.2
    area = round(share * brain.sum())
    noise = np.random.default_rng(seed + 1).standard_normal(shape)
    smooth = ndimage.gaussian_filter(noise, max(1.0, area**0.5 / 2))
    region = random_region(brain, area, np.random.default_rng(seed + 1))
    assert region.sum() == area
    if 0 < area < brain.sum():
        assert smooth[region].min() >= smooth[brain & ~region].max() - 1e-9


OPERATIONS = {
    "opened": lambda a, b: cam_roi(a, 0.5, keep=0.0),
    "opened in plane": lambda a, b: cam_roi(a, 0.5, opening=(1, 3, 3), keep=0.5),
    "joined": lambda a, b: joined(a > 0.6, b > 0.4),
    "large": lambda a, b: large_components(a > 0.5, 0.5),
    "largest": lambda a, b: largest_component(a > 0.5),
    "surest": lambda a, b: surest_component(a > 0.5, b, 0.3),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
@given(seed=st.integers(0, 9999), fill=st.sampled_from([0.2, 0.5, 0.8]))
@settings(max_examples=25, deadline=None)
def test_a_region_is_the_same_however_much_empty_space_is_around_it(operation, seed, fill):
    """What touches the border of the volume too: nothing lies beyond it."""
    rng = np.random.default_rng(seed)
    values = [ndimage.gaussian_filter(rng.random((9, 12, 14)), 1) for _ in "ab"]
    a, b = (v > np.quantile(v, 1 - fill) for v in values)
    a, b = a * rng.uniform(0.7, 1, a.shape), b * rng.uniform(0.7, 1, b.shape)
    within = np.pad(np.ones(a.shape, bool), [(2, 5), (3, 0), (1, 4)])
    padded = [np.pad(v, [(2, 5), (3, 0), (1, 4)]) for v in (a, b)]
    found = operation(*padded)
    assert np.array_equal(found[within].reshape(a.shape), operation(a, b)) and not found[~within].any()


def test_a_region_joins_what_scipy_labels_as_touched():
    rng = np.random.default_rng(4)
    region, marked = rng.random((2, 8, 15, 15)) > 0.97
    marked = ndimage.binary_dilation(marked)
    labels, count = ndimage.label(marked, np.ones((3, 3, 3)))
    touched = [n for n in range(1, count + 1) if (region & (labels == n)).any()]
    assert 0 < len(touched) < count
    assert np.array_equal(joined(region, marked), region | np.isin(labels, touched))
