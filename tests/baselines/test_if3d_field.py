"""The implicit field: its features and size, what it can learn, and what it finds planted."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from clisc_engine.baselines.if3d.fitting import Points, fit_code, improbability
from clisc_engine.baselines.if3d.network import AutoDecoder, ImplicitField
from clisc_engine.baselines.if3d.pooling import pooled
from clisc_engine.baselines.if3d.positions import fourier_features, positions
from clisc_engine.baselines.if3d.training import FieldTask, NormalPoints, optimiser_of
from clisc_engine.running.ranks import Ranks
from clisc_engine.settings.baselines.if3d import TINY, If3dSettings
from clisc_engine.training.data_parallel import DataParallel

SIDE = 16
EVERYWHERE = np.ones((SIDE, SIDE, SIDE), bool)
SMALL = If3dSettings(
    classes=4,
    frequencies=4,
    width=64,
    layers=4,
    code_length=8,
    dropout=0.0,
    points=1024,
    batch_size=3,
    learning_rate=5e-3,
    code_learning_rate=2e-2,
    fit_steps=150,
    fit_points=1024,
    refine_steps=20,
    refine_points=2048,
    fit_learning_rate=2e-2,
)


def trained(volumes, settings, epochs):
    """An `AutoDecoder` that learned these class volumes (Z, Y, X), its parameters fixed."""
    torch.manual_seed(0)
    module = AutoDecoder(settings, len(volumes))
    index = np.arange(volumes[0].size, dtype=np.int32)
    learned = [NormalPoints(index, v.ravel(), v.shape) for v in volumes]
    task = FieldTask(module, learned, settings, 0, DataParallel(module, Ranks(), settings.batch_size))
    optimiser = optimiser_of(module, settings)
    module.train()
    for epoch in range(epochs):
        for batch in task.batches(epoch):
            optimiser.zero_grad()
            task.loss(batch).backward()
            optimiser.step()
    return module.eval().requires_grad_(False)


def shells(radius):
    """A (16, 16, 16) volume of four nested shells about a centre that moves with the radius."""
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, SIDE)] * 3, indexing="ij")
    distance = np.sqrt(z**2 + (y - 0.3 + radius / 3) ** 2 + x**2)
    return np.digitize(distance, [radius / 2, radius, radius + 0.4]).astype(np.uint8)


@pytest.fixture(scope="module")
def family():
    """A field of nested shells of nine radii."""
    return trained([shells(radius) for radius in np.linspace(0.3, 0.9, 9)], SMALL, 150)


def decoded(module, code):
    """The most probable class (16, 16, 16) everywhere."""
    points = Points.of(np.zeros((SIDE,) * 3, np.uint8), EVERYWHERE, torch.device("cpu"))
    with torch.inference_mode():
        logits = module.field(code, points.positions[None])[0]
    return logits.argmax(dim=1).numpy().astype(np.uint8).reshape((SIDE,) * 3)


def surprise(module, volume, settings, seed=0):
    """The improbability (Z, Y, X) of a volume under a code fitted to it."""
    points = Points.of(volume, EVERYWHERE, torch.device("cpu"))
    code = fit_code(module.field, points, settings, np.random.default_rng(seed), lambda: None)
    return improbability(module.field, code, points).reshape(volume.shape)


def auroc(scores, labels):
    """By definition: how often an odd voxel scores over an even one, ties counted half."""
    odd, even = scores[labels][:, None], scores[~labels][None]
    return float((odd > even).mean() + 0.5 * (odd == even).mean())


def test_the_features_of_the_middle_are_60_numbers_sines_0_and_cosines_1():
    features = fourier_features(torch.zeros(1, 3), 10)
    assert features.shape == (1, 60)
    assert sorted(features[0].tolist()) == [0.0] * 30 + [1.0] * 30


def test_the_features_are_sine_and_cosine_of_each_coordinate_at_each_octave():
    point = torch.tensor([0.3, -0.71, 0.05], dtype=torch.float64)
    expected = [f(2**k * np.pi * x) for f in (np.sin, np.cos) for x in point.tolist() for k in range(4)]
    assert fourier_features(point, 4).tolist() == pytest.approx(expected)


def test_positions_are_voxels_centres_whatever_the_grid_s_resolution():
    coarse = positions(np.arange(2 * 3 * 4), (2, 3, 4)).reshape(2, 3, 4, 3)
    assert coarse[0, 0, 0] == pytest.approx([-1 / 2, -2 / 3, -3 / 4])
    fine = positions(np.arange(4 * 6 * 8), (4, 6, 8)).reshape(2, 2, 3, 2, 4, 2, 3).mean(axis=(1, 3, 5))
    assert fine == pytest.approx(coarse, abs=1e-6)


def test_the_full_size_network_has_its_parameters_and_takes_a_step():
    """1 843 918 without the gains of weight normalisation, by the sizes of the authors' code."""
    settings = If3dSettings(points=64)
    module = AutoDecoder(settings, 7)
    plain = sum(p.numel() for name, p in module.field.named_parameters() if not name.endswith("original0"))
    assert plain == 1_843_918
    task = FieldTask(
        module,
        [NormalPoints(np.arange(60, dtype=np.int32), np.arange(60, dtype=np.uint8) % 10, (3, 4, 5))] * 7,
        settings,
        0,
        DataParallel(module, Ranks(), 6),
    )
    optimiser = optimiser_of(module, settings)
    batches = list(task.batches(0))
    assert [tuple(points.shape) for points, _, _ in batches] == [(6, 64, 4), (1, 64, 4)]
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    task.loss(batches[0]).backward()
    optimiser.step()
    assert all(bool((p != before[name]).any()) for name, p in module.named_parameters())


@pytest.mark.parametrize("settings", [If3dSettings(), If3dSettings(**TINY)])
def test_another_code_is_another_volume_and_logits_have_their_shape(settings):
    field = ImplicitField(settings).eval()
    codes = torch.randn(2, settings.code_length)
    logits = field(codes, torch.rand(1, 5, 3).expand(2, -1, -1))
    assert logits.shape == (2, 5, settings.classes)
    assert not torch.allclose(logits[0], logits[1])


def test_codes_longer_than_1_are_cut_back_under_training_only():
    module = AutoDecoder(SMALL, 2)
    with torch.no_grad():
        module.codes.weight[0] *= 5 / module.codes.weight[0].norm()
        module.codes.weight[1] *= 0.5 / module.codes.weight[1].norm()
    points = torch.zeros(1, 3, 4)
    module.eval()(points)
    assert module.codes.weight.norm(dim=1).tolist() == pytest.approx([5, 0.5])
    module.train()(points)
    assert module.codes.weight.norm(dim=1).tolist() == pytest.approx([1, 0.5])


def test_the_penalty_grows_over_100_epochs_and_is_on_the_codes_norm():
    volume = NormalPoints(np.arange(SIDE**3, dtype=np.int32), shells(0.5).ravel(), (SIDE,) * 3)
    settings = SMALL.model_copy(update={"code_penalty": 1.0})
    module = AutoDecoder(settings, 1).eval()
    task = FieldTask(module, [volume], settings, 0, DataParallel(module, Ranks(), 1))
    norm = float(module.codes.weight.detach().norm())
    for epoch, weight in ((0, 0.0), (25, 0.25), (100, 1.0), (900, 1.0)):
        (batch,) = task.batches(epoch)
        points, classes, _ = batch
        entropy = functional.cross_entropy(module(points).flatten(0, 1), classes.flatten())
        assert float((task.loss(batch) - entropy).detach()) == pytest.approx(weight * norm, abs=1e-5)


def test_a_volume_of_noise_in_four_classes_is_memorised():
    coarse = np.random.default_rng(0).integers(0, 4, (8, 8, 8))
    volume = coarse.repeat(2, 0).repeat(2, 1).repeat(2, 2).astype(np.uint8)
    module = trained([volume], SMALL.model_copy(update={"points": 4096}), 300)
    accuracy = (decoded(module, module.codes.weight) == volume).mean()
    assert accuracy > 0.95


@pytest.mark.parametrize(("number", "corner"), [(2, (8, 3, 6)), (6, (2, 9, 9))])
def test_a_cube_planted_in_a_decoded_volume_is_what_a_fresh_code_finds_improbable(family, number, corner):
    volume = decoded(family, family.codes.weight[number : number + 1])
    cube = np.zeros(volume.shape, bool)
    cube[tuple(slice(at, at + 5) for at in corner)] = True
    volume[cube] = (volume[cube] + 2) % 4
    found = pooled(surprise(family, volume, SMALL), (1.5, 1.5, 1.5), 1.5, 4.5)
    assert auroc(found, cube) > 0.95


def test_with_a_share_under_1_a_large_anomaly_pulls_the_code_less(family):
    """Half of the volume's upper third is another class: the rest is explained as if it were not."""
    volume = decoded(family, family.codes.weight[5:6])
    odd = np.zeros(volume.shape, bool)
    odd[:6, :, 6:] = True
    spoilt = np.where(odd, 0, volume).astype(np.uint8)
    rest = [
        surprise(family, spoilt, SMALL.model_copy(update={"fit_share": share}))[~odd].mean()
        for share in (1.0, 0.7)
    ]
    assert rest[1] < rest[0]


def test_the_fit_depends_on_its_generator_alone(family):
    volume, few = shells(0.55), SMALL.model_copy(update={"fit_steps": 5, "refine_steps": 2})
    first, again, other = (surprise(family, volume, few, seed) for seed in (3, 3, 4))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_a_network_too_narrow_to_join_its_input_is_refused():
    with pytest.raises(ValueError, match="width must be over code_length"):
        If3dSettings(width=300)
