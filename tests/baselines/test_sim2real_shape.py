"""Simulated tumours have the size, place and mixture that they are said to have."""

import itertools

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from clisc_engine.baselines.sim2real.brains import Brain, Scale
from clisc_engine.baselines.sim2real.noise import lattice_noise, octave_noise
from clisc_engine.baselines.sim2real.shape import Shape, draw_shape, rasterised, sphere
from clisc_engine.baselines.sim2real.simulation import blend, draw_place, layers_of, simulate
from clisc_engine.baselines.sim2real.texture import Source, brightened, draw_texture
from clisc_engine.settings.baselines.sim2real import Sim2RealSettings

TURNS = [(0, 0, 0), (30, 80, 140), (170, 45, 5)]


def ellipsoid(radii, turn, noise=0.0, offset=0.0, octaves=5):
    matrix = Rotation.from_euler("zyx", turn, degrees=True).as_matrix()
    return Shape(np.array([60.0, 60.0, 60.0]), np.array(radii), matrix, noise, octaves, offset)


def ball(size=(24, 40, 36), spacing=(4.0, 3.0, 3.0), normal=slice(None), seed=0):
    """A round brain of noise about 4."""
    grid = np.meshgrid(*((np.arange(n) - (n - 1) / 2) / (n / 2) for n in size), indexing="ij")
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=size), 1.5) * 3
    image = np.where(sum(axis**2 for axis in grid) < 0.95, np.maximum(4 + noise, 0.1), 0)
    flags = np.zeros(size[0], bool)
    flags[normal] = True
    return Brain(image.astype(np.float32), flags, spacing)


def test_noise_is_within_its_bounds_smooth_and_0_on_the_lattice():
    points = np.random.default_rng(1).uniform(-300, 1500, (20000, 3))
    for values in (lattice_noise(points), octave_noise(points, 6)):
        assert np.abs(values).max() <= 1 and values.std() > 0.1 and abs(values.mean()) < 0.02
    assert not lattice_noise(np.round(points)).any()
    assert np.abs(lattice_noise(points + 1e-4) - lattice_noise(points)).max() < 1e-3


def test_octaves_are_halving_shares_of_doubling_frequencies():
    points = np.random.default_rng(2).uniform(0, 9, (50, 3))
    by_hand = (lattice_noise(points) + lattice_noise(2 * points) / 2 + lattice_noise(4 * points) / 4) / 1.75
    np.testing.assert_allclose(octave_noise(points, 3), by_hand)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("q", [0.8, 1.0])
def test_without_noise_the_volume_is_that_of_the_sphere_whatever_rotation_and_flattening(turn, q):
    radius = 25.0
    shape = ellipsoid((radius * q, radius / q, radius), turn)
    _, mask = rasterised(shape, (100, 60, 80), (1.2, 2.0, 1.5))
    assert mask.sum() * 1.2 * 2.0 * 1.5 == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.03)


def test_the_surface_is_an_ellipsoid_turned_as_said():
    turn = Rotation.from_euler("zyx", (30, 80, 140), degrees=True).as_matrix()
    shape = ellipsoid((10.0, 20.0, 30.0), (30, 80, 140))
    for axis, radius in enumerate((10.0, 20.0, 30.0)):
        tip = turn[:, axis] * radius
        points = shape.centre + np.array([tip * 0.99, -tip * 0.99, tip * 1.01, -tip * 1.01])
        assert shape.inside(points).tolist() == [True, True, False, False]


@pytest.mark.parametrize("seed", range(4))
def test_noise_moves_the_surface_by_half_a_radius_at_most_and_leaves_one_piece(seed):
    rng = np.random.default_rng(seed)
    shape = draw_shape(rng, (10.0, 10.0), 0.5).at(np.array([40.0, 40.0, 40.0]))
    assert 4 <= shape.octaves <= 7
    assert 4 / 3 * np.pi * np.prod(shape.radii) == pytest.approx(10_000)
    box, mask = rasterised(shape, (80, 80, 80), (1.0, 1.0, 1.0))
    assert ndimage.label(mask, np.ones((3, 3, 3)))[1] == 1
    points = np.argwhere(mask) + [s.start for s in box] - shape.centre
    frame = points @ shape.turn / shape.radii + shape.shift
    assert np.linalg.norm(frame, axis=1).max() <= 1.5
    everywhere = sphere(500)[:, None] * np.linspace(0, 0.5, 5)[None, :, None]
    back = (everywhere.reshape(-1, 3) - shape.shift) * shape.radii @ shape.turn.T + shape.centre
    assert shape.inside(back).all()


def test_the_moved_surface_is_centred_and_offsets_make_other_shapes():
    shape, other = (ellipsoid((20.0, 20.0, 20.0), (0, 0, 0), 0.5, offset) for offset in (3.3, 77.7))
    directions = sphere(2562)
    found = [surface_by_bisection(one, directions) for one in (shape, other)]
    for surface, one in zip(found, (shape, other), strict=True):
        assert np.linalg.norm(surface.mean(axis=0) - one.centre) < 0.05
        assert np.linalg.norm(one.shift) > 0.005  # it would not have been centred by itself
    assert np.abs(found[0] - found[1]).max() > 2


def surface_by_bisection(shape, directions):
    """Where rays from the unit sphere's centre leave the shape, by its answers about points alone."""
    low, high = np.zeros(len(directions)), np.full(len(directions), 2.0)
    for _ in range(25):
        middle = (low + high) / 2
        inside = shape.inside((directions * middle[:, None] - shape.shift) * shape.radii + shape.centre)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return (directions * low[:, None] - shape.shift) * shape.radii + shape.centre


def test_a_shape_beside_the_grid_marks_nothing_and_half_beside_it_its_half():
    far = ellipsoid((10.0, 10.0, 10.0), (0, 0, 0)).at(np.array([-50.0, 20.0, 20.0]))
    assert rasterised(far, (40, 40, 40), (1.0, 1.0, 1.0))[1].sum() == 0
    edge = far.at(np.array([-0.5, 20.0, 20.0]))
    half = rasterised(edge, (40, 40, 40), (1.0, 1.0, 1.0))[1].sum()
    assert half == pytest.approx(2 / 3 * np.pi * 1000, rel=0.03)


def test_a_mix_is_the_normal_brain_outside_and_between_both_inside():
    rng = np.random.default_rng(0)
    normal, texture = rng.uniform(0.1, 9, (2, 8, 9, 10)).astype(np.float32)
    mask = rng.random((8, 9, 10)) < 0.3
    mix = blend(normal, texture, mask, 0.37)
    assert np.array_equal(mix[~mask], normal[~mask])
    low, high = np.minimum(normal, texture)[mask], np.maximum(normal, texture)[mask]
    assert (mix[mask] >= low - 1e-6).all() and (mix[mask] <= high + 1e-6).all()
    assert np.array_equal(blend(normal, texture, mask, 0.0), normal)
    assert np.array_equal(blend(normal, texture, mask, 1.0)[mask], texture[mask])


@pytest.mark.parametrize("mean", [4.0, 11.5])
def test_a_texture_has_the_mean_asked_for(mean):
    brain = ball()
    mask = np.zeros(brain.image.shape, bool)
    mask[8:14, 10:25, 8:20] = True
    texture = brightened(brain.image, mask, mean)
    assert texture[mask].mean() == pytest.approx(mean, rel=1e-4)
    ratio = texture[mask] / brain.image[mask]
    assert ratio.max() == pytest.approx(ratio.min(), rel=1e-4)


def test_simulated_tumours_are_brighter_than_the_brain_by_the_share_of_the_texture():
    """With all of the texture and u = 2 the mean of the mix in the mask is twice the brain's."""
    settings = Sim2RealSettings(grid=[24, 40, 32], brightness=[2.0, 2.0], blend=[1.0, 1.0])
    brain, other = ball(), ball(seed=1)
    sample = simulate(np.random.default_rng(3), brain, Source.of(other), settings)
    mask = sample.mask > 0
    assert mask.any()
    inside = brain.image != 0
    scores, intensities = (part[inside].astype(float) for part in (sample.normal, brain.image))
    slope, shift = np.polyfit(scores, intensities, 1)
    raw = sample.mix[mask] * slope + shift
    assert raw.mean() == pytest.approx(2 * brain.image[inside].mean(), rel=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_layers_and_mask_make_the_mix_again(seed):
    settings = Sim2RealSettings(grid=[24, 40, 32])
    brain = ball(normal=slice(6, 18))
    sample = simulate(np.random.default_rng(seed), brain, Source.of(ball(seed=9)), settings)
    remade = sample.mask * sample.tumour + (1 - sample.mask) * sample.normal
    inside = brain.image != 0
    assert np.array_equal(remade[inside], sample.mix[inside])
    assert not sample.mix[~inside].any() and not sample.mask[~inside].any()
    assert sample.mix[inside].mean() == pytest.approx(0, abs=1e-4)
    assert sample.mix[inside].std() == pytest.approx(1, abs=1e-4)
    assert np.array_equal(sample.weight > 0, inside & brain.normal[:, None, None])


def test_the_same_seed_makes_the_same_sample_and_another_another():
    settings = Sim2RealSettings(grid=[24, 40, 32])
    brain, source = ball(), Source.of(ball(seed=9))
    one, again, other = (simulate(np.random.default_rng(s), brain, source, settings) for s in (4, 4, 5))
    assert np.array_equal(one.mix, again.mix) and np.array_equal(one.mask, again.mask)
    assert not np.array_equal(one.mask, other.mask)


def test_centres_lie_in_normal_slices_and_off_the_midline():
    brain = ball(normal=slice(12, 16))
    places = np.array([draw_place(np.random.default_rng(s), brain) for s in range(60)])
    slices = np.flatnonzero(brain.image.any(axis=(1, 2)))
    heights = places[:, 0] * (slices[-1] - slices[0]) + slices[0]
    assert set(np.round(heights, 6)) == {12, 13, 14, 15}
    assert (np.abs(places[:, 2] - 0.5) >= 0.06).all() and (np.abs(places[:, 2] - 0.5) <= 0.26).all()
    low = ball(normal=slice(1, 3))  # no normal slice at the heights of the original
    assert draw_place(np.random.default_rng(0), low)[0] < 0.3


def test_textures_are_the_source_moved_a_little():
    """A ramp stays one: displaced by at most 7.5 mm, and blurred."""
    size = (30, 40, 40)
    ramp = np.broadcast_to(np.arange(40.0) + 1, size).astype(np.float32)
    source = Source.of(Brain(ramp, np.ones(30, bool), (4.0, 4.0, 4.0)))
    steps = (np.arange(7) - 3) * 4.0
    around = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"))
    middle = np.array([0.5, 0.5, 0.5])
    found = [
        draw_texture(np.random.default_rng(s), source, middle, around, (4.0, 4.0, 4.0)) for s in range(4)
    ]
    still = 20.5 + around[2] / 4
    for texture in found:
        assert np.abs(texture - still)[2:5, 2:5, 2:5].max() <= 7.5 / 4 + 0.3
    assert all(np.abs(a - b).max() > 0.1 for a, b in itertools.pairwise(found))


def test_a_source_has_no_hole_where_there_is_no_tissue():
    brain = ball()
    tissue = np.zeros(brain.image.shape, bool)
    tissue[10:13, 15:20, 15:20] = True
    source = Source.of(brain, tissue)
    assert np.array_equal(source.image[tissue], brain.image[tissue])
    assert np.unique(source.image[~tissue]).size == 1
    assert source.image[~tissue][0] == pytest.approx(brain.image[tissue].mean(), rel=1e-5)
    assert source.box.tolist() == [[40.0, 45.0, 45.0], [48.0, 57.0, 57.0]]


def test_scores_and_intensities_are_each_others_inverse():
    brain = ball()
    inside = brain.image != 0
    scale = Scale.of(brain.image)
    scores = scale.apply(brain.image, inside)
    np.testing.assert_allclose(scale.undo(scores)[inside], np.maximum(brain.image, 0.05)[inside], rtol=1e-4)
    sample = layers_of(brain, brain.image, np.zeros(brain.image.shape, bool))
    assert np.array_equal(sample.mix, scores) and not sample.tumour.any()
