"""The network, what it is told, and what self-training trusts."""

import numpy as np
import pytest
import torch

from clisc_engine.baselines.sim2real.brains import Brain, all_normal, on_grid
from clisc_engine.baselines.sim2real.decomposer import Decomposer
from clisc_engine.baselines.sim2real.losses import Targets, real_loss, recomposition, simulated_loss
from clisc_engine.baselines.sim2real.method import clipped_adam
from clisc_engine.baselines.sim2real.network import build_network, recomposed
from clisc_engine.baselines.sim2real.samples import simulated_from
from clisc_engine.baselines.sim2real.selftraining import certainty, trusted
from clisc_engine.running.control import Control
from clisc_engine.settings.baselines.sim2real import Sim2RealSettings

PAPER = Sim2RealSettings()


def targets(rng, size=(2, 4, 6, 5), weight=None):
    volume, normal, tumour = torch.from_numpy(rng.normal(size=(3, *size)).astype(np.float32))
    mask = torch.from_numpy((rng.random(size) < 0.4).astype(np.float32))
    everywhere = torch.ones(size)
    return Targets(volume, normal, tumour, mask, everywhere if weight is None else weight)


def test_the_original_network_has_its_size_and_learns_a_step():
    """19.07 million parameters by hand: 7 023 456 down, 2 752 512 up, 9 289 728 merging, biases, head."""
    torch.manual_seed(0)
    network = build_network(PAPER.network, PAPER.channels)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == 7_023_456 + 1_440 + 2_752_512 + 896 + 9_289_728 + 896 + 64 * 3 + 3
    assert round(count / 1e6, 2) == 19.07
    optimiser = clipped_adam(network, PAPER.learning_rate, PAPER.weight_decay, PAPER.clip_norm)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    layers = network(torch.randn(1, 1, 16, 24, 16))
    assert layers.shape == (1, 3, 16, 24, 16)
    goal = targets(np.random.default_rng(0), (1, 16, 24, 16))
    simulated_loss(layers, goal).backward()
    optimiser.step()
    moved = [not torch.equal(p, b) for p, b in zip(network.parameters(), before, strict=True)]
    assert sum(moved) > 0.6 * len(moved)  # biases before an instance normalisation have no gradient
    assert all(bool(torch.isfinite(parameter).all()) for parameter in network.parameters())


@pytest.mark.parametrize("kind", ["double_conv", "residual"])
def test_a_volume_is_taken_apart_the_same_alone_and_in_a_batch(kind):
    torch.manual_seed(0)
    network = build_network(kind, [8, 16, 32]).eval()
    volumes = torch.randn(2, 1, 16, 16, 16)
    with torch.no_grad():
        both, alone = network(volumes), network(volumes[1:])
    assert both.shape == (2, 3, 16, 16, 16)
    torch.testing.assert_close(both[1:], alone, rtol=1e-4, atol=1e-5)


def test_perfect_layers_recompose_the_input_and_cost_nothing():
    goal = targets(np.random.default_rng(1))
    volume = goal.mask * goal.tumour + (1 - goal.mask) * goal.normal
    layers = torch.stack([goal.normal, goal.tumour, (goal.mask * 2 - 1) * 100], dim=1)
    assert torch.equal(recomposed(layers), volume)
    assert float(recomposition(layers, volume, goal.weight)) == 0
    assert float(simulated_loss(layers, goal)) == pytest.approx(0, abs=1e-5)
    assert float(real_loss(layers, goal._replace(volume=volume))) == pytest.approx(0, abs=1e-5)


def test_the_loss_is_dice_and_four_means_by_hand():
    rng = np.random.default_rng(2)
    weight = torch.from_numpy((rng.random((2, 4, 6, 5)) < 0.7).astype(np.float32))
    goal = targets(rng, weight=weight)
    layers = torch.from_numpy(rng.normal(size=(2, 3, 4, 6, 5)).astype(np.float32))
    w, m = (part.numpy().astype(float) for part in (weight, goal.mask))
    x = layers.numpy().astype(float)
    p = w / (1 + np.exp(-x[:, 2]))
    volumes = (1, 2, 3)
    dice = 1 - 2 * (p * m * w).sum(volumes) / (p.sum(volumes) + (m * w).sum(volumes))
    by_hand = dice.mean()
    for channel, wanted in ((0, goal.normal.numpy()), (1, goal.tumour.numpy())):
        distance = np.abs(x[:, channel] - wanted)
        by_hand += (distance * w).sum() / w.sum() + (distance * w * m).sum() / (w * m).sum()
    assert float(simulated_loss(layers, goal)) == pytest.approx(by_hand, rel=1e-4)


@pytest.mark.parametrize("loss", [simulated_loss, real_loss])
def test_what_lies_in_excluded_slices_changes_no_gradient(loss):
    rng = np.random.default_rng(3)
    weight = torch.ones(2, 4, 6, 5)
    weight[0, 1:3] = 0
    weight[1, 0] = 0
    goal, other = targets(rng, weight=weight), targets(rng, weight=weight)
    changed = Targets(*(torch.where(weight > 0, a, b) for a, b in zip(goal, other, strict=True)))
    start = torch.from_numpy(rng.normal(size=(2, 3, 4, 6, 5)).astype(np.float32))
    gradients = []
    for one in (goal, changed, other._replace(weight=weight)):
        layers = start.clone().requires_grad_()
        loss(layers, one).backward()
        gradients.append(layers.grad)
    assert torch.equal(gradients[0], gradients[1])
    assert not torch.equal(gradients[0], gradients[2])
    excluded = (weight == 0)[:, None].expand_as(start)
    assert not gradients[0][excluded].any() and gradients[0][~excluded].any()


def test_a_batch_without_any_weight_costs_no_nan():
    goal = targets(np.random.default_rng(4), weight=torch.zeros(2, 4, 6, 5))
    layers = torch.randn(2, 3, 4, 6, 5, requires_grad=True)
    simulated_loss(layers, goal).backward()
    assert not layers.grad.any()


@pytest.mark.parametrize(("length", "left"), [(0.3, 0.3), (1e6, 1.0)])
def test_long_gradients_are_cut_to_the_longest_and_short_ones_left(length, left):
    module = torch.nn.Linear(4, 1, bias=False)
    module.weight.grad = torch.tensor([[1.0, -1.0, 1.0, 1.0]]) * length / 2
    clipped_adam(module, 0.1, 0.0, 1.0).step()
    assert float(module.weight.grad.norm()) == pytest.approx(left, rel=1e-4)


def test_a_brain_keeps_its_size_in_mm_and_its_border_its_brightness():
    rng = np.random.default_rng(0)
    image = np.zeros((12, 40, 30), np.float32)
    image[1:11, 4:36, 3:27] = 1.5 + 0.01 * rng.normal(size=(10, 32, 24))
    brain = on_grid(image, np.ones(12, bool), (5.0, 2.0, 2.0), (16, 32, 24))
    assert np.array(brain.image.shape) * brain.spacing == pytest.approx([60, 80, 60])
    inside = brain.image != 0
    assert inside.sum() * brain.voxel_ml == pytest.approx(10 * 32 * 24 * 20 / 1000, rel=0.1)
    assert np.abs(brain.image[inside] - 5.5).max() < 0.1


def test_a_slice_of_the_grid_is_normal_if_both_it_is_made_from_are():
    normal = np.array([True, True, False, True])
    heights = np.array([-0.4, 0.0, 0.5, 1.0, 1.2, 2.0, 2.9, 3.0, 3.4])
    assert all_normal(normal, heights).tolist() == [True, True, True, True, False, False, False, True, True]


def test_self_training_drops_small_answers_and_then_the_least_certain():
    settings = Sim2RealSettings(stage2_min_ml=1.0, stage2_drop=40.0)
    volumes = [0.5, 20, 30, 0.0, 40, 1.0, 9]
    certainties = [0.9, 0.5, 0.8, 0.0, 0.3, 0.7, 0.6]
    assert trusted(volumes, certainties, settings).tolist() == [
        False,
        False,
        True,
        False,
        False,
        True,
        True,
    ]
    assert not trusted([0.0, 0.9], [1.0, 1.0], settings).any()
    nothing_asked = Sim2RealSettings(stage2_min_ml=0.0, stage2_drop=0.0)
    assert trusted([0.0, 0.9], [1.0, 0.1], nothing_asked).tolist() == [False, True]


def test_certainty_is_the_distance_from_even_odds_where_tumour_is_suspected():
    assert certainty(np.array([[0.0, 0.05, 1.0, 0.5]], np.float32)) == pytest.approx(0.5)
    assert certainty(np.array([[0.0, 0.05]], np.float32)) == 0


def noisy_ball(seed, size=(16, 16, 16)):
    grid = np.meshgrid(*((np.arange(n) - (n - 1) / 2) / (n / 2) for n in size), indexing="ij")
    inside = sum(axis**2 for axis in grid) < 0.95
    noise = np.random.default_rng(seed).normal(size=size)
    image = np.where(inside, np.maximum(4 + 0.5 * noise, 0.1), 0).astype(np.float32)
    normal = np.ones(size[0], bool)
    normal[seed % 8 : seed % 8 + 4] = False
    return Brain(image, normal, (8.0, 8.0, 8.0))


def test_simulated_tumours_of_brains_never_seen_are_found():
    """A small network learns within seconds: Dice over 0.7 with tumours that it was not trained on."""
    torch.manual_seed(0)
    settings = Sim2RealSettings(
        grid=[16, 16, 16], network="residual", channels=[8, 16, 32], brightness=[2.0, 3.0], blend=[0.5, 0.8]
    )
    network = build_network(settings.network, settings.channels)
    optimiser = clipped_adam(network, 0.01, 0.0, 1.0)
    brains = [noisy_ball(seed) for seed in range(8)]
    draw = simulated_from(brains, settings, range(8))
    for step in range(80):
        samples = [draw(np.random.default_rng([step, i]), 0)[0] for i in range(2)]
        parts = [(s.mix, s.normal, s.tumour, s.mask, s.weight) for s in samples]
        goal = Targets(*(torch.from_numpy(np.stack(p)) for p in zip(*parts, strict=True)))
        loss = simulated_loss(network(goal.volume[:, None]), goal)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    unseen = [noisy_ball(seed) for seed in range(100, 108)]
    draw = simulated_from(unseen, settings, range(8))
    decomposer = Decomposer(network.eval(), settings.grid, Control(device="cpu"))
    scores = []
    for number in range(8):
        sample, _ = draw(np.random.default_rng([7, number]), 0)
        whole = Brain(np.where(sample.mix != 0, sample.mix + 6, 0), np.ones(16, bool), (8.0, 8.0, 8.0))
        found, truth = decomposer.parts(whole).mask, sample.mask > 0
        scores.append(2 * (found & truth).sum() / (found.sum() + truth.sum()))
    assert np.mean(scores) > 0.7
