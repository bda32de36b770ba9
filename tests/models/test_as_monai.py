"""The U-Net, its losses, windows and patches are MONAI's to the bit: networks of either are the other's."""

import pytest
import torch
from monai import transforms as mt
from monai.inferers import sliding_window_inference
from monai.losses import DiceCELoss, MaskedDiceLoss
from monai.networks.blocks import Convolution
from monai.networks.nets import UNet
from torch import nn

from clisc_engine.models.augmentation import Patch, Patches
from clisc_engine.models.losses import segmentation_loss, soft_dice_loss
from clisc_engine.models.residual_unet import ResidualUNet, convolution
from clisc_engine.models.windows import in_windows

KEYS = ("image", "label")


def same(one, other):
    assert len(one) == len(other)
    for first, second in zip(one, other, strict=True):
        assert first.shape == second.shape and first.dtype == second.dtype and torch.equal(first, second)


@pytest.mark.parametrize(
    ("channels", "strides"),
    [
        ((4, 8), [(2, 2, 2)]),
        ((4, 8, 12, 16), [(1, 2, 2), (2, 2, 2), (2, 2, 2)]),
        ((8, 8, 8), [(2, 2, 2)] * 2),
    ],
)
def test_a_network_begins_and_answers_as_monais(channels, strides):
    torch.manual_seed(3)
    ours = ResidualUNet(1, 2, channels, strides)
    torch.manual_seed(3)
    theirs = UNet(3, 1, 2, channels=channels, strides=strides, num_res_units=2)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    same(list(ours.state_dict().values()), list(theirs.state_dict().values()))
    volume = torch.randn(2, 1, 8, 16, 24)
    answers = [network(volume) for network in (ours, theirs)]
    same(answers[:1], answers[1:])
    for answer in answers:
        answer.square().mean().backward()
    same([p.grad for p in ours.parameters()], [p.grad for p in theirs.parameters()])


def test_sim2reals_convolution_begins_and_answers_as_monais():
    torch.manual_seed(3)
    ours = convolution(2, 4, nn.ReLU())
    torch.manual_seed(3)
    theirs = Convolution(3, 2, 4, norm="INSTANCE", act="RELU", adn_ordering="NA")
    assert list(ours.state_dict()) == list(theirs.state_dict())
    volume = torch.randn(1, 2, 6, 7, 8)
    same([ours(volume)], [theirs(volume)])


@pytest.mark.parametrize(("name", "dice", "entropy"), [("dice_ce", 1, 1), ("ce", 0, 1), ("dice", 1, 0)])
def test_losses_and_their_gradients_are_monais(name, dice, entropy):
    theirs = DiceCELoss(
        include_background=False,
        to_onehot_y=True,
        softmax=True,
        batch=True,
        lambda_dice=float(dice),
        lambda_ce=float(entropy),
    )
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 2, 8, 9, 10, generator=generator)
    labels = (torch.rand(2, 1, 8, 9, 10, generator=generator) > 0.7).float()
    found = []
    for loss in (segmentation_loss(name), theirs):
        answers = logits.clone().to(memory_format=torch.channels_last_3d).requires_grad_()
        value = loss(answers, labels)
        value.backward()
        found.append([value.detach(), answers.grad])
    same(*found)


def test_the_masked_dice_of_sim2real_is_monais():
    generator = torch.Generator().manual_seed(0)
    found, mask, weight = (torch.rand(2, 1, 6, 7, 8, generator=generator) for _ in range(3))
    mask, weight = (mask > 0.5).float(), (weight > 0.3).float()
    ours = soft_dice_loss(found * weight, mask * weight, over=(2, 3, 4))
    same([ours], [MaskedDiceLoss()(found, mask, mask=weight)])


@pytest.mark.parametrize("shape", [(9, 40, 30), (17, 33, 64), (16, 16, 16)])
@pytest.mark.parametrize(("at_once", "overlap"), [(1, 0.25), (3, 0.5)])
def test_windows_are_monais(shape, at_once, overlap):
    torch.manual_seed(0)
    network = nn.Conv3d(1, 1, 3, padding=1)
    volume = torch.randn(1, 1, *shape)
    with torch.inference_mode():
        ours = in_windows(volume, (16, 24, 16), at_once, network, overlap)
        theirs = sliding_window_inference(
            volume, (16, 24, 16), at_once, network, overlap=overlap, mode="gaussian"
        )
    same([ours], [theirs])


def monais_patches(size, count, augment):
    def turn(chance, angles, stretch):
        return mt.RandAffined(
            KEYS,
            prob=chance,
            rotate_range=angles,
            scale_range=(stretch,) * 3,
            mode=("bilinear", "nearest"),
            padding_mode="zeros",
        )

    changes = {
        "none": [],
        "paper": [
            turn(0.3, (0.26, 0.0, 0.0), 0.0),
            *(mt.RandFlipd(KEYS, prob=0.5, spatial_axis=axis) for axis in range(3)),
            mt.RandScaleIntensityd("image", factors=0.2, prob=0.5),
        ],
        "wide": [
            turn(0.7, (0.26, 0.1, 0.1), 0.15),
            mt.RandFlipd(KEYS, prob=0.5, spatial_axis=2),
            mt.ShiftIntensityd("image", offset=3.0),
            mt.RandBiasFieldd("image", degree=3, coeff_range=(-0.15, 0.15), prob=0.7),
            mt.ShiftIntensityd("image", offset=-3.0),
            mt.RandScaleIntensityd("image", factors=0.35, prob=0.5),
            mt.RandShiftIntensityd("image", offsets=0.4, prob=0.5),
        ],
    }[augment]
    crop = mt.RandCropByPosNegLabeld(
        KEYS,
        "label",
        size,
        pos=1,
        neg=1,
        num_samples=count,
        image_key="image",
        image_threshold=-1e9,
        allow_smaller=True,
    )
    return mt.Compose([mt.SpatialPadd(KEYS, size), crop, *changes, mt.ToTensord(KEYS, track_meta=False)])


@pytest.mark.parametrize("augment", ["none", "paper", "wide"])
@pytest.mark.parametrize("share", [0.1, 0.0, 1.0])
def test_patches_are_monais(augment, share):
    """Of a volume with and without a label, larger and smaller than the patch, one after the other."""
    generator = torch.Generator().manual_seed(0)
    ours, theirs = Patches((8, 15, 12), 3, augment), monais_patches((8, 15, 12), 3, augment)
    ours.seed(11)
    theirs.set_random_state(seed=11)
    for shape in ((1, 5, 30, 12), (1, 20, 16, 40), (1, 8, 15, 11)):
        image = torch.randn(shape, generator=generator)
        label = (torch.rand(shape, generator=generator) < share).byte()
        found = ours(Patch(image, label))
        expected = theirs({"image": image, "label": label})
        for key in KEYS:
            same([getattr(patch, key) for patch in found], [torch.as_tensor(p[key]) for p in expected])
