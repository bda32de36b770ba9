"""Trainings as the paper sets them against plain loops that read NIfTI files."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import SimpleITK
import torch
from monai import transforms

from benchmarks.measure import Row, operations, peak_gb, plain_then_ours, product_rate
from benchmarks.plain import slices
from benchmarks.plain.networks import monais_unet
from benchmarks.plain.study import Study
from benchmarks.projects import add, brain_box, project_of
from benchmarks.volumes import brain, write
from clisc_engine.models.classifier import build_classifier
from clisc_engine.models.losses import segmentation_loss
from clisc_engine.models.unet import build_unet
from clisc_engine.products.kinds import CLASSIFIER_RAW, LABELS, UNET_ROUND1
from clisc_engine.running.control import Control
from clisc_engine.stages.cam import cam
from clisc_engine.stages.unet.training import train_unet

STEPS = 18
"""Of the U-Net: enough that what a training does but once, such as building the network, hardly counts."""
CASES = 2
PATCH = (128, 128, 128)
PSEUDO_LABELS = "masks/sam"
CHANNELS = (16, 32, 64, 128, 256)
CLASSIFIER_STEPS, BATCH, SIDE = 12, 8, 224


def classifier() -> list[Row]:
    """End to end: the slices of a volume, and steps of ResNet-50 on eight of them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        changes = {
            "classifier.pretrained": "none",
            "classifier.epochs": 1,
            "classifier.slices_per_epoch": BATCH * CLASSIFIER_STEPS,
            "training.save_every_minutes": 0,
        }
        image, lesion = brain(seed=0)
        project = project_of(folder / "project", [image], changes)
        (case,) = project.cases()
        labels = np.asarray(lesion[brain_box(image)].any(axis=(1, 2)), np.uint8)
        add(case, LABELS, labels)
        study = Study(folder / "plain", project.settings, (case.info.name,))
        study.write(case.info.name, "image", case.read("image").astype(np.float32))
        study.keep_labels(case.info.name, labels)
        rate = product_rate()
        took, plainly = plain_then_ours(
            lambda: cam(project, Control(device="cpu", force=True), until=CLASSIFIER_RAW),
            lambda: slices.train_classifier(study, "raw", masked=False),
            rounds=2,
        )
        floor = classifier_operations() / max(rate, product_rate())
        seconds, plain = took / CLASSIFIER_STEPS, plainly / CLASSIFIER_STEPS
        return [Row("classifier training, ResNet-50, batch 8", "step", seconds, plain, None, floor, 1.5)]


def classifier_operations() -> int:
    """Floating-point operations of one step's convolutions and products, forward and backward."""
    with torch.device("meta"):
        module = build_classifier(
            "resnet50", pretrained=None, clip=None, head="mlp", dropout=0.5, image_size=SIDE
        )
        pixels = torch.empty(BATCH, 3, SIDE, SIDE)
        return operations(lambda: module(pixels).sum().backward())


def unet() -> list[Row]:
    """End to end: reading, normalising, cropping, augmenting, and the step on two patches of 128^3."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        changes = {
            "unet.epochs": 1,
            "unet.patches_per_epoch": CASES * STEPS,
            "training.save_every_minutes": 0,
        }
        volumes = [brain(seed=10 * index) for index in range(CASES)]
        project = project_of(folder / "project", [image for image, _ in volumes], changes)
        cases = project.cases()
        for index, (case, (image, lesion)) in enumerate(zip(cases, volumes, strict=True)):
            add(case, PSEUDO_LABELS, lesion[brain_box(image)])
            write(folder / f"{index}_image.nii.gz", image)
            write(folder / f"{index}_label.nii.gz", lesion)

        def ours() -> None:
            train_unet(project, UNET_ROUND1, cases, Control(device="cpu", force=True))

        def plain() -> None:
            plain_loop(folder, STEPS)

        rate = product_rate()
        took, read_each_step = plain_then_ours(ours, plain, rounds=1)
        floor = step_operations() / max(rate, product_rate())
        return [
            Row(
                "U-Net training, 128^3, batch 2",
                "step",
                took / STEPS,
                read_each_step / STEPS,
                1.5,
                floor,
                1.8,
                peak_gb(ours),
            )
        ]


def plain_loop(folder: Path, steps: int) -> None:
    """The loop one writes first: read both volumes, transform, one step; layouts as they come."""
    torch.manual_seed(0)
    network = monais_unet(CHANNELS).train()
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    criterion = segmentation_loss("dice_ce")
    transform = monais_patches()
    for _ in range(steps):
        patches = []
        for index in range(CASES):
            paths = [folder / f"{index}_{kind}.nii.gz" for kind in ("image", "label")]
            image, label = (SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))) for path in paths)
            inside = image != 0
            values = (image - image[inside].mean()) / image[inside].std()
            normal = np.where(inside, values, 0).astype(np.float32)
            patches += transform({"image": normal[None], "label": label[None]})
        images = torch.stack([torch.as_tensor(p["image"]) for p in patches]).float()
        labels = torch.stack([torch.as_tensor(p["label"]) for p in patches]).float()
        loss = criterion(network(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()


def monais_patches() -> transforms.Compose:
    """The paper's augmentation by MONAI's transforms, a patch of each volume."""
    keys = ("image", "label")
    return transforms.Compose(
        [
            transforms.SpatialPadd(keys, PATCH),
            transforms.RandCropByPosNegLabeld(
                keys, "label", PATCH, image_key="image", image_threshold=-1e9
            ),
            transforms.RandAffined(
                keys,
                prob=0.3,
                rotate_range=(0.26, 0.0, 0.0),
                mode=("bilinear", "nearest"),
                padding_mode="zeros",
            ),
            *(transforms.RandFlipd(keys, prob=0.5, spatial_axis=axis) for axis in range(3)),
            transforms.RandScaleIntensityd("image", factors=0.2, prob=0.5),
            transforms.ToTensord(keys, track_meta=False),
        ]
    )


def step_operations() -> int:
    """Floating-point operations of one step's convolutions, forward and backward."""
    with torch.device("meta"):  # counts without computing
        network, images = build_unet(CHANNELS), torch.empty(2, 1, *PATCH)
        return operations(lambda: network(images).sum().backward())
