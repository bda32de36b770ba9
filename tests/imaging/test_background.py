"""Any one value around the brain is background, 0 in the brain is brain then, and doubt is refused."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from clisc_engine.errors import BadInput
from clisc_engine.imaging.background import find_background
from clisc_engine.imaging.geometry import Geometry, Volume
from clisc_engine.imaging.preprocess import preprocess
from clisc_engine.imaging.volume import read_volume
from clisc_engine.importing.cases import read_normalised
from clisc_engine.settings.schema import ImageSettings
from tests.support.volumes import ball, write

BRAIN = ball() != 0


def volume(array, spacing=(1.0, 1.0, 1.0)):
    grid = Geometry(array.shape[::-1], spacing, (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))
    return Volume(np.asarray(array, np.float32), grid, "a_flair.nii.gz")


def surrounded_by(value, array=None):
    return np.where(BRAIN, ball() if array is None else array, np.float32(value)).astype(np.float32)


def by_hand(array, brain, clip=99.9):
    """Paper section 3.1, on the brain's box, as version 0.1.0 had it."""
    box = ndimage.find_objects(brain.astype(np.uint8))[0]
    array, brain = array[box], brain[box]
    clipped = np.minimum(array, np.percentile(array[brain], clip))
    mean, deviation = float(clipped[brain].mean()), float(clipped[brain].std())
    scaled = (clipped - mean) / deviation
    scaled[np.abs(scaled) < 1e-3] = 1e-3
    return np.where(brain, scaled, 0).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_a_background_of_0_gives_the_very_arrays_of_before(seed):
    array = ball((12, 26, 24), seed)
    image, _, _ = preprocess(volume(array))
    np.testing.assert_array_equal(image, by_hand(array, array != 0))


def test_stored_voxels_are_those_that_version_0_1_0_stored():
    """The digest was taken with version 0.1.0; of whole numbers, so that no platform matters."""
    whole = np.rint(ball((12, 26, 24), 3))
    image, _, _ = preprocess(volume(whole))
    stored = hashlib.sha256(image.astype("<f2").tobytes()).hexdigest()
    assert stored == "272f553768151e2890d6403816921fd4005c6f0527d338aef581fa13a7371922"


@settings(max_examples=30, deadline=None)
@given(st.floats(-1e6, 1e6, width=32).filter(lambda v: not 0 < abs(v) < 1e-3), st.booleans())
def test_any_constant_around_the_brain_is_background(value, zeros):
    """Unless the brain has that very value, all is as with a background of 0 that the brain has not."""
    brain = np.where(BRAIN & (np.arange(24) % 3 == 0), np.float32(0), ball()) if zeros else ball()
    array = surrounded_by(value, brain)
    if zeros and value == 0:
        return
    found = find_background(array, "a")
    assert found.surrounds and found.value == np.float32(value)
    image, _, placement = preprocess(volume(array))
    np.testing.assert_array_equal(image, by_hand(array, BRAIN))
    assert (image != 0).sum() == BRAIN.sum() and placement.crop == preprocess(volume(ball()))[2].crop


def z_scored(array):
    return ((array - array.mean()) / array.std()).astype(np.float32)


SAME = {
    "-1024": lambda array: np.where(array != 0, array, -1024),
    "z-scored with its background": z_scored,
    "turned upside down": lambda array: 255 - array,
    "in [0, 1], background 1": lambda array: np.where(array != 0, array / array.max() / 2, 1),
    "interpolated": lambda array: (
        np.where(array != 0, array, -1) + 1e-6 * np.sin(np.arange(array.size)).reshape(array.shape)
    ),
}


@pytest.mark.parametrize("kind", SAME)
def test_a_scan_is_stored_alike_whatever_its_background(kind):
    plain, _, placement = preprocess(volume(ball()), clip_percentile=100)
    image, _, other = preprocess(volume(SAME[kind](ball())), clip_percentile=100)
    assert other == placement
    np.testing.assert_allclose(-image if "upside" in kind else image, plain, atol=2e-3)
    np.testing.assert_array_equal(image != 0, plain != 0)


@pytest.mark.parametrize("skull", [False, True])
@pytest.mark.parametrize("value", [-1024.0, 0.0, 7.5])
def test_allow_skull_never_turns_background_into_brain(tmp_path, value, skull):
    path = write(tmp_path / "a_flair.nii.gz", surrounded_by(value))
    found = read_normalised(path, None, ImageSettings(allow_skull=skull))
    assert (found.image != 0).sum() == BRAIN.sum()
    said = [note for note in found.notes if "background" in note]
    assert len(said) == (value != 0) and all(f"background {value:g}" in note for note in said)


def head(padding=None):
    """A head with its skull and noisy air, turned in its box so that corners were padded."""
    rng = np.random.default_rng(0)
    array = (ball((20, 30, 30)) + 30 + np.abs(10 * rng.standard_normal((20, 30, 30)))).astype(np.float32)
    if padding is not None:
        _, y, x = np.indices(array.shape)
        array[(y + x < 14) | (y + x > 46)] = padding
    return array


@pytest.mark.parametrize("padding", [None, 0.0, -1024.0, 5.0])
def test_of_a_head_with_its_skull_the_padding_is_background(padding):
    array = head(padding)
    found = find_background(array, "a")
    assert not found.surrounds and found.value == (padding or 0)
    image, _, _ = preprocess(volume(array))
    wanted = array.size if padding is None else (array != padding).sum()
    assert (image != 0).sum() == wanted


def shell():
    """A skull-stripped brain in a box of 0, in a larger one of -1024."""
    return np.pad(ball(), 8, constant_values=-1024)


def padded_twice():
    array = head(-1024.0)
    array[(array == -1024) & (np.indices(array.shape)[2] < 15)] = 0
    return array


LABELS = np.where(BRAIN, 2 + (np.indices(BRAIN.shape).sum(axis=0) // 9) * 7 % 40, 0)
DOUBTFUL = {
    "a shell of 0 in -1024": (shell, "two backgrounds: -1024 at its border, and 0 within"),
    "padded with two values": (padded_twice, "several constant values at its border"),
    "one value": (lambda: surrounded_by(0, np.full(BRAIN.shape, 3)), "same intensity in all"),
    "one value around -1": (lambda: surrounded_by(-1, np.zeros(BRAIN.shape)), "same intensity in all"),
    "a mask with a few voxels of 2": (
        lambda: surrounded_by(0, np.where(np.arange(24) == 12, np.where(ball() > 130, 2, 1), 1)),
        "may be a mask",
    ),
    "a few labels": (lambda: surrounded_by(0, np.rint(ball() / 40)), "different values in the brain"),
    "a map of many labels": (
        lambda: np.kron(surrounded_by(0, np.rint(ball()) * 10), np.ones((3, 3, 3))),
        "",
    ),
    "regions": (lambda: np.kron(LABELS, np.ones((4, 4, 4))), "map of labels"),
    "one voxel of -1e9": (lambda: surrounded_by(0, with_one(-1e9)), "few voxels of up to -1e\\+09"),
}


def with_one(value):
    array = ball()
    array[6, 12, 12] = value
    return array


@pytest.mark.parametrize("kind", [kind for kind in DOUBTFUL if DOUBTFUL[kind][1]])
def test_what_could_be_something_else_is_refused(kind):
    make, said = DOUBTFUL[kind]
    with pytest.raises(BadInput, match=rf"a_flair\.nii\.gz .*{said}"):
        preprocess(volume(make()))


@pytest.mark.parametrize("value", [1e30, -1e30, 1e300, 3e38])
@pytest.mark.parametrize("whole", [True, False])
def test_absurd_intensities_are_refused_by_name(tmp_path, value, whole):
    array = ball().astype(np.float64)
    array = (
        array * (value / 100)
        if whole
        else np.where(np.arange(array.size).reshape(array.shape) == 3500, value, array)
    )
    with pytest.raises(BadInput, match=r"a_flair\.nii holds intensities .*no scanner makes"):
        read_volume(write(tmp_path / "a_flair.nii", array))


def test_intensities_too_small_for_any_contrast_are_refused(tmp_path):
    with pytest.raises(BadInput, match=r"no scanner makes"):
        read_volume(write(tmp_path / "a.nii", ball() * np.float32(1e-30)))


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1e4, 1e9])
def test_any_unit_of_intensity_is_normalised_alike(scale):
    plain, _, _ = preprocess(volume(ball()))
    image, _, _ = preprocess(volume(ball() * np.float32(scale)))
    np.testing.assert_allclose(image, plain, atol=1e-4)


def test_a_background_of_nan_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(BadInput, match=r"NaN or infinite.*background.*set it to 0"):
        read_volume(write(tmp_path / "a.nii", surrounded_by(np.nan)))


def test_a_tight_crop_of_a_brain_is_taken_as_ever():
    box = ndimage.find_objects(BRAIN.astype(np.uint8))[0]
    for value in (0, -1024):
        array = surrounded_by(value)[box]
        assert find_background(array, "a").surrounds
        np.testing.assert_array_equal(preprocess(volume(array))[0], by_hand(ball()[box], BRAIN[box]))


@pytest.mark.parametrize("value", [0.0, -1024.0])
def test_resampling_in_plane_mixes_no_background_into_the_rim(value):
    """A brain of a gradient along z alone stays so to its very edge, whatever surrounds it."""
    brain = np.pad(ball((12, 40, 44)) != 0, 2)
    steps = np.indices(brain.shape)[0] * 10.0 + 100 + np.where(np.indices(brain.shape)[0] % 2, 0.5, 0)
    array = np.where(brain, steps, value)
    image, spacing, placement = preprocess(volume(array, (0.7, 0.7, 3.0)), resample_in_plane=1.0)
    assert spacing == (3.0, 1.0, 1.0)
    for plane in image:
        inside = plane[plane != 0]
        assert inside.size and inside.max() - inside.min() < 1e-3
    assert placement.grid.size[:2] == tuple(round(n * 0.7) for n in array.shape[:0:-1])


def test_resampled_voxels_are_the_mean_of_the_brain_alone():
    """By hand: halving the pixels of 2 x 2 blocks gives the mean of those of the four that are brain."""
    rng = np.random.default_rng(4)
    brain = ball((12, 58, 58)) != 0
    array = np.where(brain, 100 + 20 * rng.standard_normal(brain.shape), -1024).astype(np.float32)
    image, _, placement = preprocess(volume(array), clip_percentile=100, resample_in_plane=2.0)

    def blocks(values):
        return values.reshape(12, 29, 2, 29, 2).sum(axis=(2, 4))

    weight = blocks(brain.astype(float))
    wanted = blocks(np.where(brain, array, 0.0)) / np.maximum(weight, 1)
    stored = np.zeros(wanted.shape)
    stored[placement.box] = image
    inside = stored != 0
    assert (inside <= (weight > 0)).all() and set(np.unique(weight[inside])) >= {1.0, 2.0, 3.0, 4.0}
    mean, deviation = wanted[inside].mean(), wanted[inside].std()
    np.testing.assert_allclose(stored[inside], (wanted[inside] - mean) / deviation, atol=2e-3)


def test_what_lies_sagittal_or_very_oblique_is_told(tmp_path):
    from scipy.spatial.transform import Rotation

    sagittal = np.array([[0, 0, 1.0], [1, 0, 0], [0, 1, 0]])
    tilted = Rotation.from_euler("x", 38, degrees=True).as_matrix()
    told = {}
    for name, direction, spacing in (
        ("axial", np.eye(3), (1, 1, 5)),
        ("sagittal", sagittal, (1, 1, 5)),
        ("isotropic", sagittal, (1, 1, 1)),
        ("tilted", tilted, (1, 1, 5)),
        ("beyond", Rotation.from_euler("x", 50, degrees=True).as_matrix(), (1, 1, 5)),
    ):
        path = write(tmp_path / f"{name}.mha", ball(), spacing, (0, 0, 0), direction)
        told[name] = " ".join(read_normalised(path, None, ImageSettings()).notes)
    assert told["axial"] == told["isotropic"] == ""
    assert "sagittal slices of 5 mm" in told["sagittal"] and "sagittal.mha" in told["sagittal"]
    assert "oblique: the slices taken as axial are tilted by 38 degrees" in told["tilted"]
    assert "coronal slices of 5 mm, tilted by 40 degrees" in told["beyond"]
