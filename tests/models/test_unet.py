import numpy as np
import pytest
import torch
from torch import nn

from clisc_engine.core.levels import level_strides
from clisc_engine.models.augmentation import Patch, Patches
from clisc_engine.models.losses import segmentation_loss
from clisc_engine.models.unet import at_spacing, build_unet, predict_volume, resized

CPU = torch.device("cpu")
OPTIONS = {"overlap": 0.5, "batch_size": 2, "device": CPU, "precision": "32"}


class Brightness(nn.Module):
    """Calls tumour what is brighter than 1: a network whose answer is known."""

    def forward(self, x):
        return torch.cat([torch.zeros_like(x), 10 * (x - 1)], dim=1)


@pytest.mark.parametrize("shape", [(9, 40, 30), (40, 50, 64), (16, 16, 16)])
def test_windows_cover_volumes_of_any_size(shape):
    image = np.random.default_rng(0).random(shape).astype(np.float32) * 2
    found = predict_volume(Brightness(), image, (16, 32, 32), mode="sliding", **OPTIONS)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-10 * (image - 1))), atol=1e-4)


def test_resizing_sees_the_whole_volume_at_once():
    image = np.zeros((20, 40, 40), np.float32)
    image[5:15, 10:30, 10:30] = 2
    found = predict_volume(Brightness(), image, (32, 32, 32), mode="resize", **OPTIONS)
    assert found.shape == image.shape
    assert ((found > 0.5) != (image > 1)).mean() < 0.08


def test_the_papers_network_has_five_levels_and_keeps_the_size():
    network = build_unet([16, 32, 64, 128, 256])
    widths = {m.out_channels for m in network.modules() if isinstance(m, nn.Conv3d)}
    assert {16, 32, 64, 128, 256} <= widths
    assert network(torch.zeros(1, 1, 32, 32, 48)).shape == (1, 2, 32, 32, 48)


@pytest.mark.parametrize("name", ["dice_ce", "ce", "dice"])
def test_losses_prefer_the_right_answer(name):
    labels = (torch.rand(2, 1, 8, 8, 8, generator=torch.Generator().manual_seed(0)) > 0.7).float()
    right = torch.cat([1 - labels, labels], 1) * 10
    loss = segmentation_loss(name)
    assert loss(right, labels) < 0.05 < loss(-right, labels)
    ce = nn.functional.cross_entropy(right * 0.1, labels[:, 0].long())
    if name == "ce":
        torch.testing.assert_close(loss(right * 0.1, labels), ce)


@pytest.mark.parametrize("name", ["dice_ce", "ce", "dice"])
def test_losses_of_bfloat16_are_summed_in_float32(name):
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(2, 1, 24, 24, 24, generator=generator) > 0.7).float()
    logits = torch.randn(2, 2, 24, 24, 24, generator=generator).bfloat16()
    loss = segmentation_loss(name)
    found = loss(logits, labels)
    assert found.dtype == torch.float32
    assert float(found) == pytest.approx(float(loss(logits.double().float(), labels)), rel=1e-6)


def test_patches_move_image_and_label_together_and_follow_the_seed():
    volume = torch.rand(1, 20, 40, 40)
    label = (volume > 0.6).to(torch.uint8)
    drawn = []
    for _ in range(2):
        patches = Patches((16, 32, 32), 3, "none")
        patches.seed(5)
        drawn.append(patches(Patch(volume, label)))
    assert len(drawn[0]) == 3
    for first, second in zip(*drawn, strict=True):
        assert torch.equal(first.image, second.image)
        assert torch.equal(first.label > 0, first.image > 0.6)
        assert first.image.shape == (1, 16, 32, 32)


@pytest.mark.parametrize("augment", ["paper", "wide"])
def test_augmented_patches_have_the_size_and_binary_labels(augment):
    volume = torch.rand(1, 10, 20, 20)
    patches = Patches((16, 32, 32), 4, augment)
    patches.seed(1)
    for patch in patches(Patch(volume, (volume > 0.5).to(torch.uint8))):
        assert patch.image.shape == patch.label.shape == (1, 16, 32, 32)
        assert set(torch.unique(patch.label).tolist()) <= {0, 1}


@pytest.mark.parametrize(("augment", "upside_down"), [("paper", True), ("wide", False)])
def test_only_the_papers_flips_turn_a_head_upside_down(augment, upside_down):
    volume = torch.zeros(1, 16, 16, 16)
    volume[:, 10:] = 1  # bright at the top, through every turn and stretch of a few degrees
    draw = Patches((16, 16, 16), 40, augment)
    draw.seed(2)
    patches = draw(Patch(volume, volume.to(torch.uint8)))
    tops = [bool(patch.label[0, 12:].sum() < patch.label[0, :4].sum()) for patch in patches]
    assert any(tops) is upside_down


def test_thick_slices_are_halved_once_the_pixels_have_caught_up():
    assert level_strides(4, ()) == [(2, 2, 2)] * 4
    assert level_strides(4, (1.0, 1.0, 1.0)) == [(2, 2, 2)] * 4
    assert level_strides(4, (4.0, 2.5, 2.5)) == [(1, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2)]
    assert level_strides(3, (6.0, 1.0, 1.0)) == [(1, 2, 2), (1, 2, 2), (2, 2, 2)]


def test_a_network_of_thick_slices_takes_any_patch_of_its_own_strides():
    network = build_unet([4, 8, 16], (4.0, 2.0, 2.0))
    assert network(torch.zeros(1, 1, 6, 16, 12)).shape == (1, 2, 6, 16, 12)


def test_resampling_keeps_places_and_comes_back():
    volume = np.zeros((20, 40, 30), np.float32)
    volume[5:12, 10:30, 8:20] = 1
    small = at_spacing(volume, (2.0, 1.0, 1.0), (4.0, 2.0, 2.0))
    assert small.shape == (10, 20, 15)
    back = resized(small, volume.shape) > 0.5
    assert (back != (volume > 0.5)).mean() < 0.02
    centre = [float(axis.mean()) for axis in np.nonzero(back)]
    assert np.allclose(centre, [axis.mean() for axis in np.nonzero(volume)], atol=0.5)


def test_resampling_to_the_own_spacing_changes_nothing():
    volume = np.random.default_rng(0).standard_normal((5, 6, 7)).astype(np.float16)
    for wanted in ((), (3.0, 1.0, 1.0)):
        assert np.array_equal(at_spacing(volume, (3.0, 1.0, 1.0), wanted), volume.astype(np.float32))
